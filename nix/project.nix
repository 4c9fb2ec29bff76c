# What the flake offers, for one system.
{
  lib,
  pkgs,
}: let
  inherit ((lib.importTOML ../rust-toolchain.toml).toolchain) channel;
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;
  inherit (lib.importTOML ../versions.toml) kind;

  # A node image belongs to a kind release: no row, no shell.
  nodeImage = table:
    kind.${table}.${pkgs.kind.version}
    or (throw "versions.toml: [kind.${table}] has no image for kind ${pkgs.kind.version}, which is what nixpkgs has");

  # What the compiler reads: each member, and what its code or its tests include from elsewhere.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../clippy.toml
      ../docs
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

  # One member with its own tests. Those of `e2e` need Docker, which a build has not.
  member = name: tests:
    workspace name {
      cargoBuildFlags = ["--package" name];
      cargoTestFlags = ["--package" name] ++ tests;
      meta.mainProgram = name;
    };

  packages = rec {
    locust-matrix = member "locust-matrix" [];
    fake-inference = member "fake-inference" [];
    # Runs from a checkout only, as `cargo xtask`; here it is built to know that it can be.
    # Its test of the flake reads files that are no part of a build.
    xtask = member "xtask" ["--bins" "--test" "cli"];
    default = locust-matrix;
  };
in
  # rustup and Nix give the same compiler: whoever moves one has to move the other.
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
      # xtask links the programs for the images statically. In `buildInputs` it would come before the shared
      # C library for everything else, too.
      env.LIBRARY_PATH = "${pkgs.glibc.static}/lib";
      # Kubernetes 1.35 and newer does not start on a host with cgroup v1. A choice made before stays.
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

    # Alejandra alone would wait for its standard input when it is given no path.
    formatter = pkgs.writeShellScriptBin "alejandra" ''
      exec ${lib.getExe pkgs.alejandra} "''${@:-.}"
    '';
  }
