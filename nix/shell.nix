# The shell of `nix develop`. A Docker daemon has to run on the machine.
{
  lib,
  pkgs,
}:
pkgs.mkShell {
  packages =
    [
      pkgs.actionlint
      pkgs.cargo
      pkgs.cargo-deny
      pkgs.clippy
      pkgs.docker-client
      pkgs.git
      pkgs.kind
      pkgs.kubectl
      pkgs.python3
      pkgs.rustc
      pkgs.rustfmt
      pkgs.uv
    ]
    # Opens the HTML report in a test.
    ++ lib.optionals pkgs.stdenv.hostPlatform.isLinux [pkgs.chromium];
  env =
    if pkgs.stdenv.hostPlatform.isLinux
    # xtask links the programs for the images statically. In `buildInputs`, the static C library would come before
    # the shared one for every program.
    then {LIBRARY_PATH = "${pkgs.glibc.static}/lib";}
    else {};
}
