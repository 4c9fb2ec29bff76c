//! `cargo xtask versions`: versions.toml is the only place of versions, and every other file says the same.

mod advice;
mod agreement;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{BUG, Failure};
use crate::folders::Folders;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Check that manifests, the flake, workflows and documents name the versions of versions.toml
    Check,
    /// Say what to change, in which order, to move a version
    Update {
        /// What to move
        #[arg(value_enum)]
        what: advice::Pin,
    },
}

const HELP: &str = "\
Exit codes: 0 all agree, 1 some disagree, 3 a file cannot be read.";

/// versions.toml, beyond what the cluster needs of it.
#[derive(Debug, Deserialize)]
struct Pins {
    kind: BTreeMap<String, BTreeMap<String, String>>,
    locust: Locust,
    actions: BTreeMap<String, Action>,
    gitlab: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Locust {
    version: String,
    image: String,
    wheel: String,
    also_tested: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Action {
    version: String,
    commit: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let folders = Folders::find()?;
    match args.task {
        Task::Update { what } => {
            let _ = std::io::stdout().write_all(advice::text(what).as_bytes());
            Ok(())
        }
        Task::Check => check(&folders.root),
    }
}

/// Fails if any two files disagree.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let problems = agreement::problems(root)?;
    for problem in &problems {
        let _ = writeln!(std::io::stdout(), "{problem}");
    }
    if problems.is_empty() {
        return Ok(());
    }
    let what = format!("versions disagree: {}", problems.len());
    Err(Failure::new(
        BUG,
        what,
        "change the files above, or versions.toml; `cargo xtask versions update` says how",
    ))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, "read", &error))
}

/// The files with one of these endings in a folder and below it.
fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let failure = |error: std::io::Error| Failure::file(folder, "read", &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if path.is_dir() {
            found.extend(files(&path, endings)?);
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
