# A stand-in for nixpkgs, so that the project's flake can be evaluated without a network:
#
#     nix flake check --offline --no-write-lock-file --override-input nixpkgs path:./nix/stub .
#
# It has the names the flake uses and no others. What it calls a package is a derivation that writes down
# the arguments it was made from, and arguments that nixpkgs' function does not know are refused.
{
  description = "A stand-in for nixpkgs";

  outputs = _: let
    lib = import ./lib.nix;
  in {
    inherit lib;
    legacyPackages = lib.genAttrs ["x86_64-linux" "aarch64-linux"] (system: import ./pkgs.nix {inherit lib system;});
  };
}
