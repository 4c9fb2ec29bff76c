# `nix flake check` builds these.
{
  lib,
  pkgs,
  packages,
  programs,
}: let
  # One cargo command over the whole workspace, with the crates of Cargo.lock. It sees the whole repository, because
  # the tests compare the code with the documents, the workflows and the flake.
  cargo = name: tools: command:
    programs.build name {
      src = ../.;
      nativeBuildInputs = tools;
      buildPhase = ''
        export HOME=$TMPDIR
        ${command}
      '';
      installPhase = "touch $out";
    };
  clippy = "cargo clippy --workspace --locked --offline";
in
  removeAttrs packages ["default"]
  // {
    fmt = cargo "fmt" [pkgs.rustfmt] "cargo fmt --all --check";
    clippy = cargo "clippy" [pkgs.clippy] "${clippy} --all-targets -- -D warnings";
    doc = cargo "doc" [] "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --locked --offline";
    # Advisories need a network: `cargo deny check` in the shell reads them, too.
    deny = cargo "deny" [pkgs.cargo-deny] "cargo deny --offline check bans licenses sources";
    # The tests that need no cluster; some of them call git and python3.
    tests = cargo "tests" [pkgs.git pkgs.python3] "cargo test --workspace --locked --offline";
    format = pkgs.runCommand "format" {} ''
      ${lib.getExe pkgs.alejandra} --check ${../flake.nix} ${../nix}
      touch $out
    '';
  }
