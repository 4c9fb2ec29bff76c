# The matrix from start to end, without a checkout and without a Rust toolchain.
{
  lib,
  pkgs,
  programs,
}: let
  inherit (programs.linux) xtask;

  # The programs that `cargo xtask e2e` would build, each under its own name.
  built = pkgs.runCommand "locust-matrix-programs" {} ''
    mkdir -p $out/bin
    ln -s ${lib.getExe programs.linux.locust-matrix-static} $out/bin/locust-matrix
    ln -s ${lib.getExe programs.linux.fake-inference-static} $out/bin/fake-inference
    ln -s ${lib.getExe programs.linux.locust-matrix-cluster} $out/bin/locust-matrix-cluster
  '';

  tools = [pkgs.docker-client pkgs.kind pkgs.kubectl pkgs.python3];

  # Results go to ./results, as from a checkout; state and logs go to the cache folder of the user.
  run = name: flags:
    pkgs.writeShellScriptBin name ''
      export PATH="${lib.makeBinPath tools}:$PATH"
      export LOCUST_MATRIX_PROGRAMS=${built}/bin
      export LOCUST_MATRIX_HOME="$PWD"
      export CARGO_TARGET_DIR="''${XDG_CACHE_HOME:-$HOME/.cache}/locust-matrix/e2e"
      exec ${lib.getExe xtask} e2e ${flags} "$@"
    '';
in rec {
  e2e = run "locust-matrix-e2e" "";

  app = {
    type = "app";
    program = lib.getExe e2e;
    meta.description = "Creates a cluster, runs the matrix in it, fetches the results, and cleans up";
  };

  # A program that runs the matrix of these settings. `settings` is a settings file, or its content as attributes.
  mkMatrix = {
    settings,
    name ? "matrix",
    flags ? [],
  }: let
    # JSON is YAML, too.
    file =
      if builtins.isAttrs settings
      then pkgs.writeText "${name}.yaml" (builtins.toJSON settings)
      else settings;
  in
    run name "--config ${file} ${lib.escapeShellArgs flags}";
}
