# A flake of your own that pins the harness, and runs your settings file with it:
#
#     nix flake init --template github:<owner>/locust-matrix
#     nix run . -- --cluster embedded
{
  description = "The load matrix of the shop";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  # Write the account of your copy of locust-matrix in the place of <owner>: Nix refuses the address as it is.
  inputs.locust-matrix.url = "github:<owner>/locust-matrix";
  # Builds the harness with your nixpkgs, which needs rustc 1.95 or newer. Without this line, it comes with its own.
  inputs.locust-matrix.inputs.nixpkgs.follows = "nixpkgs";

  outputs = {
    nixpkgs,
    locust-matrix,
    ...
  }: let
    system = "x86_64-linux";
    pkgs = nixpkgs.legacyPackages.${system}.extend locust-matrix.overlays.default;
  in {
    packages.${system} = {
      default = locust-matrix.lib.mkMatrix {
        inherit system;
        name = "shop-matrix";
        settings = ./shop.yaml;
      };
      # The same settings as a Nix value, with flags of `cargo xtask e2e`.
      quick = locust-matrix.lib.mkMatrix {
        inherit system;
        name = "shop-quick";
        settings = {
          preset = "quick";
          objective.p95_ms = 500;
        };
        flags = ["--cluster" "embedded"];
      };
    };

    # The driver in a shell, to plan and to read reports.
    devShells.${system}.default = pkgs.mkShell {packages = [pkgs.locust-matrix];};
  };
}
