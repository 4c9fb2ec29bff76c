# The packages and builders of nixpkgs that the flake uses, for one system.
{
  lib,
  system,
  host,
}: let
  inherit (builtins) attrNames elem filter concatStringsSep;

  # Refuses arguments that the real function does not know; most of them are spelling mistakes.
  only = function: known: given: let
    unknown = filter (name: !elem name known) (attrNames given);
  in
    if unknown == []
    then given
    else throw "${function}: unknown argument ${concatStringsSep ", " unknown}";

  make = import ./make.nix {inherit lib system host;};
  tools = builtins.mapAttrs make.tool (lib.importTOML ./versions.toml);
  python = import ./python.nix {inherit only make;};

  self =
    tools
    // python
    // {
      stdenv.hostPlatform = {
        inherit system;
        isLinux = builtins.match ".*-linux" system != null;
        isDarwin = builtins.match ".*-darwin" system != null;
      };

      # glibc does not exist on Darwin.
      glibc =
        if self.stdenv.hostPlatform.isLinux
        then tools.glibc // {static = make.package "glibc-static" tools.glibc.version {} {};}
        else throw "glibc: not for ${system}";

      python3 = python.python3 // {inherit (tools.python3) version;};

      rustPlatform.buildRustPackage = import ./rust.nix {inherit lib only make;};
      dockerTools.buildLayeredImage = import ./image.nix {inherit only make;};

      mkShell = given: let
        args = only "mkShell" ["name" "packages" "inputsFrom" "buildInputs" "nativeBuildInputs" "env" "shellHook"] given;
      in
        make.shell args;

      # These accept every attribute of a derivation, so they refuse nothing.
      runCommand = make.script;
      writeShellScriptBin = make.program;
      writeText = make.text;

      extend = overlay: self // overlay self self;
    };
in
  self
