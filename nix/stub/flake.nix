# A stand-in for nixpkgs, so that the project's flake can be evaluated without a network:
#
#     nix flake check --offline --no-write-lock-file --override-input nixpkgs path:./nix/stub .
#
# It has only the names that the flake uses. Its packages are derivations that write their own arguments to a file,
# and its functions refuse arguments that the functions of nixpkgs do not know.
{
  description = "A stand-in for nixpkgs";

  outputs = _: let
    lib = import ./lib.nix;
  in {
    inherit lib;
    legacyPackages = lib.genAttrs ["x86_64-linux" "aarch64-linux"] (system: import ./pkgs.nix {inherit lib system;});
  };
}
