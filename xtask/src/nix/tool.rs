//! Finds nix, and calls it so that it needs neither a network nor a daemon nor `/nix`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::host::{StandIn, folder};
use crate::failure::Failure;
use crate::flake_programs::{NIX as VARIABLE, STORE};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::Cmd;
use crate::run::shell;

#[derive(Debug)]
pub(super) struct Nix {
    program: String,
    /// The root of a store of its own.
    store: PathBuf,
}

impl Nix {
    pub(super) async fn find(session: &Session, folders: &Folders) -> Result<Self, Failure> {
        let named = std::env::var(VARIABLE).ok().filter(|path| !path.is_empty());
        let program = named.clone().unwrap_or_else(|| "nix".to_owned());
        let asked = Cmd::new(&program).arg("--version").deadline(Duration::from_secs(20)).run(session).await;
        let done = match asked {
            Ok(done) => done,
            Err(failure) if failure.is_interruption() => return Err(failure),
            Err(_) if named.is_some() => {
                return Err(missing(format!("{VARIABLE}: {program} cannot be started")));
            }
            Err(_) => return Err(missing(format!("there is no nix on PATH, and {VARIABLE} is not set"))),
        };
        if !done.success() {
            return Err(missing(format!("`{program} --version` fails: {}", done.tail)));
        }
        let store = folder(folders).join("store");
        folders::create(&store)?;
        Ok(Self { program, store })
    }

    /// A call of one of nix's subcommands that takes the stand-in for nixpkgs, and leaves the lock as it is.
    pub(super) fn command(&self, stand_in: &StandIn, subcommand: &[&str]) -> Cmd {
        self.plain().args(subcommand.iter().copied()).args(options(stand_in))
    }

    /// Lets what runs in the shell of the flake call this nix, with the same stand-in.
    pub(super) fn inherited(&self, stand_in: &StandIn, shell: Cmd) -> Result<Cmd, Failure> {
        let options: Vec<_> = options(stand_in).iter().map(|word| shell::quote(word)).collect();
        let nix = self.plain().line();
        let script =
            format!("subcommand=$1\nshift\nexec {nix} \"$subcommand\" {} \"$@\"\n", options.join(" "));
        let path = self.store.with_file_name("nix");
        folders::write(&path, format!("#!/bin/sh\n{script}").as_bytes())?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
            .map_err(|error| Failure::file(&path, "make executable", &error))?;
        Ok(shell.env(VARIABLE, path.display().to_string()).env(STORE, self.store.display().to_string()))
    }

    fn plain(&self) -> Cmd {
        Cmd::new(&self.program)
            .args(["--extra-experimental-features", "nix-command flakes", "--offline"])
            .arg("--store")
            .path(&self.store)
            // The store belongs to the caller, who may be root.
            .args(["--option", "build-users-group", "", "--option", "substituters", ""])
            .args(["--option", "warn-dirty", "false"])
            .deadline(Duration::from_hours(1))
    }

    /// Where a path of the store is on this machine.
    pub(super) fn in_store(&self, path: &str) -> PathBuf {
        self.store.join(Path::new(path).strip_prefix("/").unwrap_or(Path::new(path)))
    }
}

fn options(stand_in: &StandIn) -> Vec<String> {
    let mut options = vec!["--no-write-lock-file".to_owned()];
    if !stand_in.sandbox_paths.is_empty() {
        options.extend(["--option".into(), "sandbox-paths".into(), stand_in.sandbox_paths.join(" ")]);
    }
    let nixpkgs = format!("path:{}", stand_in.folder.display());
    options.extend(["--override-input".into(), "nixpkgs".into(), nixpkgs]);
    options
}

/// Nix is missing, or does not work here.
fn missing(what: String) -> Failure {
    Failure::preflight(what, "install it (https://nixos.org/download), or set LOCUST_MATRIX_NIX to its path")
}
