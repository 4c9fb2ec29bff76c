# The tools and the builds with Nix. Nix is optional: README.md says how to work without it.
#
#     nix develop                  # a shell with kind, kubectl, docker, Rust, Python and uv ...
#     cargo xtask e2e              # ... in which this works if a Docker daemon is running
#
#     nix build .#locust-matrix    # the driver; also .#fake-inference and .#xtask
#     nix flake check              # the three packages with their tests, formatting, clippy
#     nix fmt                      # this file and nix/
#
# Without a network, the flake can be evaluated on a stand-in that knows the names and arguments of nixpkgs:
#
#     nix flake check --offline --no-write-lock-file --override-input nixpkgs path:./nix/stub .
#
# Tested are this evaluation and the evaluation on nixpkgs itself. Not tested are the builds: no package, check or
# shell has been built with the real nixpkgs yet, on either system.
{
  description = "How many replicas of an inference service carry how many users: a load matrix on Kubernetes";

  # Its rustc has the version in rust-toolchain.toml, and its kind has a row in versions.toml. After a
  # `nix flake update` that changes them, nix/project.nix fails until these two files are updated as well.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = {nixpkgs, ...}: let
    inherit (nixpkgs) lib;
    systems = ["x86_64-linux" "aarch64-linux"];
    project = lib.genAttrs systems (system:
      import ./nix/project.nix {
        inherit lib;
        pkgs = nixpkgs.legacyPackages.${system};
      });
    # Turns project.SYSTEM.OUTPUT into OUTPUT.SYSTEM, the form that flakes need.
    output = name: lib.genAttrs systems (system: project.${system}.${name});
  in {
    packages = output "packages";
    checks = output "checks";
    devShells = output "devShells";
    formatter = output "formatter";
  };
}
