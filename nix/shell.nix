# The shells of `nix develop`.
{
  lib,
  pkgs,
}: let
  inherit (pkgs.stdenv.hostPlatform) isLinux;
  # Inside of the shell, `cargo xtask e2e` packs the images from the flake's packages. Set LOCUST_MATRIX_BUILDER=cargo
  # while the code changes, because Nix compiles a package from its beginning each time.
  images = lib.optionalString isLinux "export LOCUST_MATRIX_BUILDER=\"\${LOCUST_MATRIX_BUILDER:-nix}\"\n";
  shell = docker: hook:
    pkgs.mkShell {
      packages =
        [
          pkgs.actionlint
          pkgs.cargo
          pkgs.cargo-deny
          pkgs.clippy
          docker
          pkgs.git
          pkgs.kind
          pkgs.kubectl
          pkgs.python3
          pkgs.rustc
          pkgs.rustfmt
          pkgs.uv
        ]
        # Opens the HTML report in a test.
        ++ lib.optionals isLinux [pkgs.chromium];
      env =
        if isLinux
        # xtask links the programs for the images statically. In `buildInputs`, the static C library would come
        # before the shared one for every program.
        then {LIBRARY_PATH = "${pkgs.glibc.static}/lib";}
        else {};
      shellHook = images + hook;
    };
in
  # A Docker daemon has to run on the machine.
  {default = shell pkgs.docker-client "";}
  // (
    if isLinux
    # For a job in a privileged container: starts a daemon in it, which ends with the container.
    then {
      docker-in-docker = shell pkgs.docker ''
        if ! docker info > /dev/null 2>&1; then
          dockerd > /tmp/dockerd.log 2>&1 &
          for second in {1..60}; do
            if docker info > /dev/null 2>&1; then break; fi
            if [ "$second" = 60 ]; then tail /tmp/dockerd.log >&2; exit 3; fi
            sleep 1
          done
        fi
      '';
    }
    else {}
  )
