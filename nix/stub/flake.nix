# A stand-in for nixpkgs, so that the project's flake works without a network. `cargo xtask nix check` uses it.
#
# It has only the names that the flake uses, in the versions that the locked nixpkgs has, and its functions refuse
# arguments that those of nixpkgs do not know.
#
# With host.nix as it is here, packages are notes: derivations that write their own arguments to a file, so that the
# flake can be evaluated for every system in a second. `cargo xtask nix check` takes a copy of this folder and
# describes the machine in its host.nix; then the packages of this machine's system are built with the machine's
# tools, which it lets into the sandbox.
{
  description = "A stand-in for nixpkgs";

  outputs = _: let
    lib = import ./lib.nix;
    host = import ./host.nix;
    systems = ["x86_64-linux" "aarch64-linux" "aarch64-darwin"];
  in {
    inherit lib;
    legacyPackages = lib.genAttrs systems (system:
      import ./pkgs.nix {
        inherit lib system;
        host =
          if host != null && host.system == system
          then host
          else null;
      });
  };
}
