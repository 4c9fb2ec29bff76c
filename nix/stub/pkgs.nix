# The packages and builders of nixpkgs that the flake uses, for one system.
{
  lib,
  system,
}: let
  inherit (builtins) attrNames attrValues concatLists concatStringsSep elem elemAt filter genList length toJSON;

  # A derivation whose output lists the arguments it was made from. It depends on everything in that list.
  note = name: version: made: {
    meta ? {},
    more ? {},
  }:
    derivation ({
        inherit system;
        name =
          if version == ""
          then name
          else "${name}-${version}";
        outputs = ["out"];
        builder = "/bin/sh";
        args = ["-c" "printf '%s\\n' \"$note\" > $out"];
        note = toJSON made;
      }
      // more)
    // {inherit meta version;};

  # Refuses arguments that the real function does not know; most of them are spelling mistakes.
  only = function: known: given: let
    unknown = filter (name: !elem name known) (attrNames given);
  in
    if unknown == []
    then given
    else throw "${function}: unknown argument ${concatStringsSep ", " unknown}";

  tool = name: version: note name version {tool = name;} {meta.mainProgram = name;};
  tools = builtins.mapAttrs tool (lib.importTOML ./versions.toml);

  # Fails as cargo would in a build: for a member that is not in the source, and a crate that is not in the lock file.
  crates = {
    src,
    lockFile,
  }: let
    locked = (lib.importTOML lockFile).package;
    names = map (package: package.name) locked;
    root = lib.importTOML "${src}/Cargo.toml";
    manifest = member: let
      path = "${src}/${member}/Cargo.toml";
    in
      if builtins.pathExists path
      then lib.importTOML path
      else throw "buildRustPackage: the workspace member ${member} is not in the source";
    members = [root] ++ map manifest root.workspace.members;
    tables = member: [member] ++ attrValues (member.target or {});
    needs = member:
      concatLists (map (table: let
        all = (table.dependencies or {}) // (table.dev-dependencies or {}) // (table.build-dependencies or {});
      in
        map (name: all.${name}.package or name) (attrNames all))
      (tables member));
    missing = filter (name: !elem name names) (map (member: member.package.name) members ++ concatLists (map needs members));
    unhashed = filter (package: package ? source && !(package ? checksum)) locked;
  in
    if missing != []
    then throw "buildRustPackage: not in Cargo.lock: ${concatStringsSep ", " missing}"
    else if unhashed != []
    then throw "buildRustPackage: ${(elemAt unhashed 0).name} has no checksum in Cargo.lock, so cargoLock needs outputHashes"
    else map (member: member.package.name) members;
in
  tools
  // {
    glibc = tools.glibc // {static = note "glibc-static" tools.glibc.version {} {};};

    rustPlatform.buildRustPackage = given: let
      args =
        only "buildRustPackage" [
          "pname"
          "version"
          "src"
          "cargoLock"
          "cargoBuildFlags"
          "cargoTestFlags"
          "nativeBuildInputs"
          "nativeCheckInputs"
          "buildInputs"
          "buildPhase"
          "installPhase"
          "doCheck"
          "env"
          "meta"
        ]
        given;
      lock = only "importCargoLock" ["lockFile" "lockFileContents" "outputHashes" "allowBuiltinFetchGit" "extraRegistries"] args.cargoLock;
      members = crates {
        inherit (args) src;
        inherit (lock) lockFile;
      };
      flags = (args.cargoBuildFlags or []) ++ (args.cargoTestFlags or []);
      asked = filter (name: name != "") (genList (i:
        if i > 0 && elemAt flags (i - 1) == "--package"
        then elemAt flags i
        else "")
      (length flags));
      strangers = filter (name: !elem name members) asked;
    in
      if strangers != []
      then throw "buildRustPackage: no member of the workspace: ${concatStringsSep ", " strangers}"
      else note args.pname args.version (args // {cargoLock = length members;}) {meta = args.meta or {};};

    mkShell = given: let
      args = only "mkShell" ["name" "packages" "inputsFrom" "buildInputs" "nativeBuildInputs" "env" "shellHook"] given;
      packages = args.packages or [];
    in
      note (args.name or "nix-shell") "" {packages = map (package: package.name) packages;} {
        # `nix develop` needs bash as the builder. The tools in the shell are the ones of the machine.
        more = (args.env or {}) // {builder = "/bin/bash";} // {shellHook = args.shellHook or "";};
      }
      // {nativeBuildInputs = packages;};

    # These two accept every attribute of a derivation, so they refuse nothing.
    runCommand = name: attributes: script: note name "" (attributes // {inherit script;}) {};
    writeShellScriptBin = name: text: note name "" {inherit text;} {meta.mainProgram = name;};
  }
