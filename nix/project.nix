# The flake's outputs for one system.
{
  lib,
  pkgs,
}: let
  inherit ((lib.importTOML ../rust-toolchain.toml).toolchain) channel;
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;
  inherit (lib.importTOML ../versions.toml) kind;

  # A node image belongs to a kind release. Without a row for this kind, the shell cannot be built.
  nodeImage = table:
    kind.${table}.${pkgs.kind.version}
    or (throw "versions.toml: [kind.${table}] has no image for kind ${pkgs.kind.version}, which is what nixpkgs has");

  # The files that the builds read: each member, and the files that its code and its tests include.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../clippy.toml
      ../docs
      ../records
      ../e2e
      ../embedded
      ../fake-inference
      ../manifests
      ../rust-toolchain.toml
      ../rustfmt.toml
      ../src
      ../tests
      ../versions.toml
      ../xtask
    ];
  };

  workspace = pname: more:
    pkgs.rustPlatform.buildRustPackage ({
        inherit pname src version;
        cargoLock.lockFile = ../Cargo.lock;
      }
      // more);

  # One member with its own tests. The tests of `e2e` need Docker, which a Nix build does not have.
  member = name: tests:
    workspace name {
      cargoBuildFlags = ["--package" name];
      cargoTestFlags = ["--package" name] ++ tests;
      meta.mainProgram = name;
    };

  packages = rec {
    locust-matrix = member "locust-matrix" [];
    fake-inference = member "fake-inference" [];
    # xtask runs only from a checkout, as `cargo xtask`. It is built here to check that it compiles.
    # Its tests `architecture` and `flake` are left out, because they read files that are not in the build's source.
    xtask = member "xtask" ["--bins" "--test" "cli"];
    default = locust-matrix;
  };
in
  # rustup and Nix have to install the same compiler: if one is updated, the other has to be updated, too.
  lib.throwIfNot (pkgs.rustc.version == channel)
  "rust-toolchain.toml: the channel is ${channel}, but nixpkgs has rustc ${pkgs.rustc.version}"
  {
    inherit packages;

    checks = {
      inherit (packages) locust-matrix fake-inference xtask;
      fmt = pkgs.runCommand "fmt" {nativeBuildInputs = [pkgs.cargo pkgs.rustfmt];} ''
        export HOME=$TMPDIR
        cd ${src}
        cargo fmt --all --check
        touch $out
      '';
      clippy = workspace "clippy" {
        nativeBuildInputs = [pkgs.clippy];
        buildPhase = "cargo clippy --workspace --all-targets --locked --offline -- -D warnings";
        doCheck = false;
        installPhase = "touch $out";
      };
    };

    devShells.default = pkgs.mkShell {
      packages = [
        pkgs.cargo
        pkgs.clippy
        pkgs.docker-client
        pkgs.kind
        pkgs.kubectl
        pkgs.python3
        pkgs.rustc
        pkgs.rustfmt
        pkgs.uv
      ];
      # xtask links the programs for the images statically. In `buildInputs`, the static C library would come before
      # the shared one for every program.
      env.LIBRARY_PATH = "${pkgs.glibc.static}/lib";
      # Kubernetes 1.35 and newer does not start on a host with cgroup v1. A variable that is already set is kept.
      shellHook = ''
        if [ -z "''${KIND_NODE_IMAGE-}" ]; then
          if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
            export KIND_NODE_IMAGE=${nodeImage "node"}
          else
            export KIND_NODE_IMAGE=${nodeImage "node-cgroup-v1"}
          fi
        fi
      '';
    };

    # Without a path, alejandra would wait for its standard input.
    formatter = pkgs.writeShellScriptBin "alejandra" ''
      exec ${lib.getExe pkgs.alejandra} "''${@:-.}"
    '';
  }
