# The functions of nixpkgs' lib that the flake uses, with their most important errors.
let
  inherit (builtins) any compareVersions concatLists concatStringsSep fromTOML listToAttrs match pathExists readFile replaceStrings stringLength substring;
  below = folder: path: substring 0 (stringLength folder + 1) path == "${folder}/";
in rec {
  genAttrs = names: f:
    listToAttrs (map (name: {
        inherit name;
        value = f name;
      })
      names);

  importTOML = path: fromTOML (readFile path);

  throwIfNot = condition: message:
    if condition
    then value: value
    else throw message;

  optionalString = condition: text:
    if condition
    then text
    else "";

  optionals = condition: list:
    if condition
    then list
    else [];

  versionAtLeast = one: other: compareVersions one other >= 0;

  escapeShellArg = word:
    if match "[[:alnum:],._+:@%/=-]+" word != null
    then word
    else "'${replaceStrings ["'"] ["'\\''"] word}'";
  escapeShellArgs = words: concatStringsSep " " (map escapeShellArg words);

  makeBinPath = packages: concatStringsSep ":" (map (package: "${package}/bin") packages);

  getExe = package: "${package}/bin/${package.meta.mainProgram or (throw "getExe: ${package.name} has no meta.mainProgram")}";

  licenses.asl20 = {spdxId = "Apache-2.0";};

  fileset = {
    # Here, a fileset is a list of paths.
    unions = parts:
      concatLists (map (part:
        if builtins.isList part
        then part
        else if pathExists part
        then [part]
        else throw "lib.fileset.unions: ${toString part} does not exist")
      parts);

    toSource = {
      root,
      fileset,
    }:
      builtins.path {
        path = root;
        name = "source";
        # Keeps the paths in the fileset, everything below them, and the folders that lead to them.
        filter = path: _: any (part: path == toString part || below (toString part) path || below path (toString part)) fileset;
      };
  };
}
