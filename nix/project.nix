# The flake's outputs for one system. nix/packages.nix, nix/images.nix and so on hold one group each.
{
  lib,
  pkgs,
}: let
  inherit (pkgs.stdenv.hostPlatform) isLinux;
  inherit (lib.importTOML ../Cargo.toml) workspace;
  inherit (workspace.package) version rust-version;
  inherit ((lib.importTOML ../rust-toolchain.toml).toolchain) channel;
  versions = lib.importTOML ../versions.toml;

  # Somebody else's nixpkgs may have a newer compiler than ours; an older one cannot build the programs.
  programs =
    lib.throwIfNot (lib.versionAtLeast pkgs.rustc.version rust-version)
    "locust-matrix needs rustc ${rust-version} or newer, but this nixpkgs has ${pkgs.rustc.version}: follow a newer nixpkgs, or leave out inputs.nixpkgs.follows"
    (import ./packages.nix {inherit lib pkgs version;});
  images = import ./images.nix {inherit lib pkgs versions programs;};
  matrix = import ./matrix.nix {inherit lib pkgs programs;};

  # The shell and the checks of this repository want exactly the compiler that rustup installs.
  same-compiler =
    lib.throwIfNot (pkgs.rustc.version == channel)
    "rust-toolchain.toml: the channel is ${channel}, but nixpkgs has rustc ${pkgs.rustc.version}";

  # A node image belongs to a kind release. Without a row for this kind, the shell cannot be built.
  same-kind = let
    missing = table: !(versions.kind.${table} ? ${pkgs.kind.version});
  in
    lib.throwIfNot (!missing "node" && !missing "node-cgroup-v1")
    "versions.toml: [kind.node] or [kind.node-cgroup-v1] has no image for kind ${pkgs.kind.version}, which is what nixpkgs has";

  # The wheel's hash in versions.toml belongs to one version of Locust, and the image's tag has to say the same.
  same-locust = let
    tagged = "locustio/locust:${versions.locust.version}@";
  in
    lib.throwIfNot (builtins.substring 0 (builtins.stringLength tagged) versions.locust.image == tagged)
    "versions.toml: [locust] has version ${versions.locust.version}, but the image ${versions.locust.image}";

  packages = same-locust (programs.everywhere
    // {default = programs.everywhere.locust-matrix;}
    // (
      if isLinux
      then programs.linux // images // {inherit (matrix) e2e;}
      else {}
    ));
in {
  inherit packages;
  inherit (matrix) mkMatrix;

  apps =
    if isLinux
    then {
      e2e = matrix.app;
      default = matrix.app;
    }
    else {
      default = {
        type = "app";
        program = lib.getExe packages.locust-matrix;
        meta.description = "The driver, against a cluster of your own";
      };
    };

  checks = same-compiler (import ./checks.nix {inherit lib pkgs packages programs;});
  devShells = same-compiler (same-kind (import ./shell.nix {inherit lib pkgs;}));

  # Without a path, alejandra would wait for its standard input.
  formatter = pkgs.writeShellScriptBin "alejandra" ''
    exec ${lib.getExe pkgs.alejandra} "''${@:-.}"
  '';
}
