//! `cargo xtask versions`: versions.toml is the only place of versions, and every other file says the same.

mod advice;
mod agreement;
mod file;

use std::io::Write as _;
use std::path::Path;

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
