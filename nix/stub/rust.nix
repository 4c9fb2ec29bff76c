# rustPlatform.buildRustPackage
{
  lib,
  only,
  make,
}: let
  inherit (builtins) attrNames attrValues concatLists concatStringsSep elem elemAt filter genList length match pathExists;
  inherit (make) host;

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
      if pathExists path
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
    else members;

  # The words behind each occurrence of a flag.
  after = flag: words:
    filter (word: word != "") (genList (i:
      if i > 0 && elemAt words (i - 1) == flag
      then elemAt words i
      else "")
    (length words));

  # The programs that a member has without further settings, or with `[[bin]]`.
  programs = member:
    [member.package.name] ++ map (bin: bin.name) (member.bin or []);

  # A static program needs a target of its own, so that build scripts stay ordinary programs. It is built like those
  # for the images of `cargo xtask e2e`, and the others like those of `cargo build`, so that crates which these have
  # compiled are used again.
  build = args: let
    static = match ".*crt-static.*" (args.env.RUSTFLAGS or "") != null;
    target =
      if static
      then "--release --target ${host.triple}"
      else "";
    folder =
      if static
      then "${host.triple}/release"
      else "debug";
  in
    make.build args.pname args.version (args.nativeBuildInputs or []) ({
        inherit (args) src;
        CARGO_HOME = host.cargoHome;
        CARGO_TARGET_DIR = host.target;
      }
      // (args.env or {})) ''
      cp -R --no-preserve=mode,timestamps $src source
      cd source
      ${args.buildPhase or "cargo build --locked --offline ${target} ${concatStringsSep " " (args.cargoBuildFlags or [])}"}
      ${
        args.installPhase or ''
          mkdir -p $out/bin
          cp $CARGO_TARGET_DIR/${folder}/${args.meta.mainProgram} $out/bin/
        ''
      }
    '';
in
  given: let
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
    names = map (member: member.package.name) members;
    strangers = filter (name: !elem name names) (after "--package" flags);
    unknown = filter (name: !elem name (concatLists (map programs members))) (after "--bin" flags);
    main = args.meta.mainProgram or null;
    checked =
      if strangers != []
      then throw "buildRustPackage: no member of the workspace: ${concatStringsSep ", " strangers}"
      else if unknown != []
      then throw "buildRustPackage: no program of the workspace: ${concatStringsSep ", " unknown}"
      else if main != null && !elem main (concatLists (map programs members))
      then throw "buildRustPackage: meta.mainProgram ${main} is no program of the workspace"
      else args;
    meta = args.meta or {};
  in
    (
      if make.real
      then build checked
      else
        make.note checked.pname checked.version (removeAttrs checked ["cargoLock"]
          // {
            cargoLock = length members;
            inherit meta;
          }) {}
    )
    // {inherit meta;}
