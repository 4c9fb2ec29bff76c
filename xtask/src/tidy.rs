//! `cargo xtask tidy`: what the documents promise of the code, checked against the code.

mod files;
mod modules;
mod readme;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::failure::{BUG, Failure, PREFLIGHT};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::Cmd;
use crate::run::halt::Halt;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {}

const HELP: &str = "\
Checks that modules of the driver use only modules to their left, that every member takes the
workspace's lints, that no source file has more than 400 lines, and that the commands and
flags in README.md exist.

Exit codes: 0 tidy, 1 not tidy, 3 git is missing, 130 interrupted.";

pub(crate) async fn run(Args {}: Args, halt: Arc<Halt>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let session = Session::open(halt, &folders.target.join("xtask-tidy").join("commands.log"), false)?;
    check(&session, &folders).await
}

pub(crate) async fn check(session: &Session, folders: &Folders) -> Result<(), Failure> {
    let root = &folders.root;
    // Files that are not committed yet count too; what git ignores does not.
    let listed = Cmd::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .folder(root)
        .run(session)
        .await?;
    let listed = listed.require(session, PREFLIGHT, "run it in a clone of the repository")?;
    let mut sources = Vec::new();
    for path in listed.stdout.lines().filter(|path| files::is_read(path)) {
        // A file that was deleted and not committed is still listed.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    let (mut problems, exceptions) = modules::check(&sources);
    problems.extend(files::too_long(&sources));
    problems.extend(files::without_lints(&sources));
    problems.extend(readme::check(&sources));
    for exception in exceptions {
        session.progress.line(&format!("exception: {exception}"));
    }
    if problems.is_empty() {
        session.progress.line(&format!("tidy: {} files", sources.len()));
        return Ok(());
    }
    for problem in &problems {
        let _ = writeln!(std::io::stdout(), "{problem}");
    }
    let count = problems.len();
    let what = format!("the repository is not tidy: {count} problem{}", if count == 1 { "" } else { "s" });
    Err(Failure::new(BUG, what, "correct what is named above, and run `cargo xtask tidy` again"))
}

/// A file of the repository; the path is relative to it.
#[derive(Debug)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
    }
}

#[cfg(test)]
fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}
