# The tools and the builds with Nix. Nix is optional: README.md says how to work without it.
#
#     nix develop                        # a shell with everything that `cargo xtask e2e` needs, but a Docker daemon
#     nix run .#e2e -- --users 20,40     # the matrix, without a Rust toolchain; `.` or a flake reference
#
#     nix build .#locust-matrix          # the driver; README.md lists the other packages
#     nix flake check                    # builds all of them, runs the tests, and checks formatting, clippy, documents
#     nix fmt                            # this file and nix/
#
# On a machine without a network, `cargo xtask nix check` builds all of this with nix/stub, a stand-in for nixpkgs that
# takes the tools of the machine. docs/nix.md says what only the real nixpkgs can show.
{
  description = "How many replicas of an inference service carry how many users: a load matrix on Kubernetes";

  # Its rustc has the version in rust-toolchain.toml, and its kind has a row in versions.toml. After a
  # `nix flake update` that changes them, the shell fails until these two files are updated as well.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = {nixpkgs, ...}: let
    inherit (nixpkgs) lib;
    # On Darwin there are the driver, the stub and a shell. Images, the embedded cluster and the matrix need Linux.
    systems = ["x86_64-linux" "aarch64-linux" "aarch64-darwin"];
    for = pkgs: import ./nix/project.nix {inherit lib pkgs;};
    project = lib.genAttrs systems (system: for nixpkgs.legacyPackages.${system});
    # Turns project.SYSTEM.OUTPUT into OUTPUT.SYSTEM, the form that flakes need.
    output = name: lib.genAttrs systems (system: project.${system}.${name});
  in {
    packages = output "packages";
    apps = output "apps";
    checks = output "checks";
    devShells = output "devShells";
    formatter = output "formatter";

    # For somebody else's flake: the programs, built with their nixpkgs.
    overlays.default = final: _: let
      own = (for final).packages;
    in {
      inherit (own) locust-matrix fake-inference locust-matrix-cluster;
      locust-matrix-e2e = own.e2e;
    };

    # For somebody else's flake: a program that runs the matrix of their settings. nix/consumer is an example.
    lib.mkMatrix = {system, ...} @ settings: project.${system}.mkMatrix (removeAttrs settings ["system"]);

    templates.default = {
      path = ./nix/consumer;
      description = "Pins the harness, and runs a settings file of one's own with it";
    };
  };
}
