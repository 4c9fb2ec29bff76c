# The programs of the workspace.
{
  lib,
  pkgs,
  version,
}: let
  # The files that the programs are built from: each member, and the files that its code includes. A change in any
  # other file, such as README.md, builds nothing anew.
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

  # Cargo.lock has a checksum for each crate, so that no other hash is needed. The tests are one of the checks: a
  # package of its own would compile the crates again for the tests of each member.
  build = pname: more:
    pkgs.rustPlatform.buildRustPackage ({
        inherit pname src version;
        cargoLock.lockFile = ../Cargo.lock;
        doCheck = false;
      }
      // more);

  program = package: name: description:
    build name {
      cargoBuildFlags = ["--package" package "--bin" name];
      meta = {
        inherit description;
        mainProgram = name;
        license = lib.licenses.asl20;
      };
    };

  # Without shared libraries, as `cargo xtask e2e` builds them for the images, which have no base image.
  static = package: name: description:
    build "${name}-static" {
      cargoBuildFlags = ["--package" package "--bin" name];
      env.RUSTFLAGS = "-C target-feature=+crt-static -C force-unwind-tables=no";
      # In `buildInputs`, the static C library would come before the shared one for build scripts, too.
      env.LIBRARY_PATH = "${pkgs.glibc.static}/lib";
      meta = {
        inherit description;
        mainProgram = name;
        license = lib.licenses.asl20;
      };
    };

  driver = "Measures how many replicas of an inference service carry how many users";
  stub = "A small inference service whose true figures are known";
in {
  inherit build;

  everywhere = {
    locust-matrix = program "locust-matrix" "locust-matrix" driver;
    fake-inference = program "fake-inference" "fake-inference" stub;
  };

  linux = {
    locust-matrix-cluster = program "embedded" "locust-matrix-cluster" "A small Kubernetes API whose pods are local processes";
    xtask = program "xtask" "xtask" "The tasks of the repository, and the matrix from start to end";
    locust-matrix-static = static "locust-matrix" "locust-matrix" driver;
    fake-inference-static = static "fake-inference" "fake-inference" stub;
  };
}
