# Makes derivations: notes of their arguments, or real builds with the machine's tools.
{
  lib,
  system,
  host,
}: let
  inherit (builtins) concatStringsSep isString removeAttrs toJSON;
  real = host != null;

  nameOf = name: version:
    if version == ""
    then name
    else "${name}-${version}";

  # A derivation whose output lists the arguments it was made from. It depends on everything in that list.
  note = name: version: made: more:
    derivation ({
        inherit system;
        name = nameOf name version;
        outputs = ["out"];
        builder = "/bin/sh";
        args = ["-c" "printf '%s\\n' \"$note\" > $out"];
        note = toJSON made;
      }
      // more)
    // {
      inherit version;
      inherit (made) meta;
      pname = name;
    };

  # A derivation that runs a script with the machine's tools, and before them those of `inputs`.
  build = name: version: inputs: variables: script:
    derivation ({
        inherit system;
        name = nameOf name version;
        outputs = ["out"];
        builder = "/bin/sh";
        args = ["-euc" "export TMPDIR=$NIX_BUILD_TOP HOME=$NIX_BUILD_TOP LC_ALL=C\n${script}"];
        PATH = concatStringsSep ":" (map (input: "${input}/bin") inputs ++ [host.path]);
      }
      // host.env
      // variables)
    // {
      inherit version;
      pname = name;
    };

  withMeta = meta: made: made // {inherit meta;};
in rec {
  inherit real note build host;

  # A package that is not made here: a folder that says what it stands for.
  package = name: version: made: meta:
    withMeta meta (
      if real
      then
        build name version [] {note = toJSON made;} ''
          mkdir -p $out/bin $out/lib
          printf '%s\n' "$note" > $out/stands-for
        ''
      else note name version (made // {inherit meta;}) {}
    );

  # A tool of the machine. It is looked for when it is called, because not every tool is needed everywhere.
  tool = name: version:
    withMeta {mainProgram = name;} (
      if real
      then
        build name version [] {} ''
          mkdir -p $out/bin
          case ${name} in
            docker-client) program=docker ;;
            clippy) program=cargo-clippy ;;
            *) program=${name} ;;
          esac
          printf '#!/bin/sh\nPATH=%s\nexec %s "$@"\n' '${host.path}' $program > $out/bin/$program
          chmod +x $out/bin/$program
        ''
      else
        note name version {
          tool = name;
          meta.mainProgram = name;
        } {}
    );

  script = name: attributes: command: let
    meta = attributes.meta or {};
    given = removeAttrs attributes ["meta" "passthru" "nativeBuildInputs"];
  in
    withMeta meta (
      if real
      then build name "" (attributes.nativeBuildInputs or []) given command
      else note name "" (given // {inherit command meta;}) {}
    );

  program = name: text:
    withMeta {mainProgram = name;} (
      if real
      then
        build name "" [] {inherit text;} ''
          mkdir -p $out/bin
          { echo '#!/bin/bash'; printf '%s' "$text"; } > $out/bin/${name}
          chmod +x $out/bin/${name}
        ''
      else
        note name "" {
          inherit text;
          meta.mainProgram = name;
        } {}
    );

  text = name: content:
    assert isString content;
      if real
      then build name "" [] {inherit content;} "printf '%s' \"$content\" > $out"
      else
        note name "" {
          inherit content;
          meta = {};
        } {};

  # `nix develop` needs bash as the builder. The tools in the shell are the ones of the machine, from the caller's PATH.
  shell = args: let
    packages = args.packages or [];
  in
    note (args.name or "nix-shell") "" {
      packages = map (package: package.name) packages;
      meta = {};
    } ((args.env or {})
      // {
        builder = "/bin/bash";
        shellHook = args.shellHook or "";
      })
    // {nativeBuildInputs = packages;};
}
