# The tools and the builds with Nix: everything here can be had without it, too (see README.md).
#
#     nix develop                  # a shell with kind, kubectl, docker, Rust, Python and uv ...
#     cargo xtask e2e              # ... in which this works, given a running Docker daemon
#
#     nix build .#locust-matrix    # the driver; also .#fake-inference and .#xtask
#     nix flake check              # the three packages with their tests, formatting, clippy
#     nix fmt                      # this file and nix/
#
# Without a network, the flake is evaluated on a stand-in that knows nixpkgs' names and arguments:
#
#     nix flake check --offline --no-write-lock-file --override-input nixpkgs path:./nix/stub .
#
# That, and the evaluation on nixpkgs itself, is what has been tried. Untested are the builds: no package,
# check or shell of the real nixpkgs has been realised yet, on either system.
{
  description = "How many replicas of an inference service carry how many users: a load matrix on Kubernetes";

  # One input: its rustc is the one of rust-toolchain.toml, and its kind has a row in versions.toml.
  # `nix flake update` past that is refused by nix/project.nix until those two files follow.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = {nixpkgs, ...}: let
    inherit (nixpkgs) lib;
    systems = ["x86_64-linux" "aarch64-linux"];
    project = lib.genAttrs systems (system:
      import ./nix/project.nix {
        inherit lib;
        pkgs = nixpkgs.legacyPackages.${system};
      });
    # From project.SYSTEM.OUTPUT to OUTPUT.SYSTEM, as flakes want it.
    output = name: lib.genAttrs systems (system: project.${system}.${name});
  in {
    packages = output "packages";
    checks = output "checks";
    devShells = output "devShells";
    formatter = output "formatter";
  };
}
