//! `cargo xtask guides`: runs the commands of the guides, so that none of them is out of date.
//!
//! Every block of commands (```` ```sh ````) in README.md and `docs/` is run, unless the line before it says why not:
//! `<!-- not run: REASON -->`. Blocks of other languages are not commands.

#[cfg(test)]
mod code_lines;
#[cfg(test)]
mod links;
mod markdown;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::failure::{BUG, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::StopRequests;
use crate::toolchain;
use markdown::Block;

#[derive(Debug, Default, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Only these guides, for example docs/quick-start.md
    #[arg(value_name = "FILE")]
    only: Vec<String>,
    /// List the blocks, and why some are not run
    #[arg(long)]
    list: bool,
}

const HELP: &str = "\
Each block runs in a folder of its own with what the repository has in examples/guides, so that it
can be repeated. It needs Linux and Python 3.11 or newer, and takes some minutes.

Exit codes: 0 all well, 1 a command failed, 3 something is missing, 130 interrupted.";

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let work = folders.target.join("xtask-guides");
    let session = Session::open(stop, &work.join("commands.log"), false)?;
    let mut blocks = Vec::new();
    for path in documents(&folders.root)? {
        let name = path.strip_prefix(&folders.root).unwrap_or(&path).display().to_string();
        if !args.only.is_empty() && !args.only.contains(&name) {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, "read", &error))?;
        blocks.extend(markdown::blocks(&text).into_iter().map(|block| (name.clone(), block)));
    }
    if args.list {
        for (name, block) in &blocks {
            let state =
                block.not_run.as_ref().map_or("run".to_owned(), |reason| format!("not run: {reason}"));
            let _ = writeln!(std::io::stdout(), "{name}:{}: {state}", block.line);
        }
        return Ok(());
    }
    toolchain::build_local(&session, &folders).await?;
    let total = blocks.iter().filter(|(_, block)| block.not_run.is_none()).count();
    for (name, block) in blocks.iter().filter(|(_, block)| block.not_run.is_none()) {
        let step = format!("{name}:{}", block.line);
        session.step(&step, run_block(&session, &folders, &work, block)).await?;
    }
    let _ = writeln!(std::io::stdout(), "{total} blocks ran, {} are marked as not run", blocks.len() - total);
    Ok(())
}

async fn run_block(session: &Session, folders: &Folders, work: &Path, block: &Block) -> Result<(), Failure> {
    let folder = work.join("folder");
    let _ = std::fs::remove_dir_all(&folder);
    folders::create(&folder)?;
    let examples = folders.root.join("examples/guides");
    for name in markdown::names(&examples)? {
        let (from, to) = (examples.join(&name), folder.join(&name));
        std::fs::copy(&from, &to).map_err(|error| Failure::file(&from, "copy", &error))?;
    }
    // For blocks that a reader runs in the repository itself.
    let tests = folder.join("tests");
    std::os::unix::fs::symlink(folders.root.join("tests"), &tests)
        .map_err(|error| Failure::file(&tests, "link", &error))?;
    // `cargo xtask` is an alias of the repository, and a reader has the programs on PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = folders.target.join("debug");
    let script = format!(
        "cargo() {{ if [ \"$1\" = xtask ]; then shift; {} \"$@\"; else command cargo \"$@\"; fi; }}\n{}",
        crate::run::shell::quote(&programs.join("xtask").display().to_string()),
        block.text
    );
    let done = Cmd::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("CARGO_TARGET_DIR", folders.target.display().to_string())
        .folder(&folder)
        .show(ShowOutput::Indented)
        .deadline(Duration::from_mins(20))
        .run(session)
        .await?;
    done.require_success(session, BUG, "correct the guide, or what it describes").map(drop)
}

/// README.md and everything in `docs/` that people read.
fn documents(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)).into();
    let docs = root.join("docs");
    found.extend(markdown::names(&docs)?.iter().map(|name| docs.join(name)).filter(|path| is_markdown(path)));
    Ok(found)
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
    }

    /// The problems of all commands of `cargo xtask` in a text.
    fn misread(name: &str, text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        for (line, command) in markdown::commands(text, "cargo xtask ") {
            if let Err(error) = Cli::command().try_get_matches_from(&command)
                && error.exit_code() != 0
            {
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                problems.push(format!("{name}:{line}: {}: {first}", command.join(" ")));
            }
        }
        problems
    }

    #[test]
    fn every_call_of_xtask_in_the_documents_can_be_parsed() {
        let mut calls = 0;
        for path in documents(&root()).unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            calls += markdown::commands(&text, "cargo xtask ").len();
            assert_eq!(misread(&path.display().to_string(), &text), [""; 0]);
        }
        assert!(calls > 30, "{calls}");
    }

    #[test]
    fn a_call_with_a_wrong_flag_or_value_is_found() {
        let wrong =
            "```sh\ncargo xtask e2e --cluster kid\ncargo xtask e2e --userz 5 # x\ncargo xtask tset\n```\n";
        assert_eq!(misread("x", wrong).len(), 3, "{:?}", misread("x", wrong));
        assert_eq!(misread("x", "    cargo xtask e2e --users 5 -- --drift   # comment\n"), [""; 0]);
    }

    #[test]
    fn every_link_of_the_documents_leads_somewhere() {
        let mut links = 0;
        for path in documents(&root()).unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            links += links::of(&text).len();
            assert_eq!(links::dead(&root(), &path, &text), [""; 0]);
        }
        assert!(links > 30, "{links}");
    }

    #[test]
    fn a_dead_link_is_found() {
        let text =
            "# One\n[a](docs/nothing.md) [b](#two) [c](#one) [d](README.md#no-such-heading) [e](https://x)\n";
        assert_eq!(links::dead(&root(), &root().join("README.md"), text).len(), 3);
    }

    #[test]
    fn a_guide_has_blocks_that_are_run_and_a_reason_for_each_other() {
        let mut run = 0;
        for path in documents(&root()).unwrap() {
            let text = std::fs::read_to_string(&path).unwrap();
            for block in markdown::blocks(&text) {
                run += usize::from(block.not_run.is_none());
                let reason = block.not_run.as_deref().unwrap_or("it is run");
                assert!(reason.len() > 5, "{}:{}", path.display(), block.line);
            }
        }
        assert!(run >= 6, "{run}");
    }

    /// Each message in the tables of the troubleshooting guide is a message of the program.
    #[test]
    fn every_quoted_message_is_in_the_code() {
        let mut code = String::new();
        for folder in ["src", "xtask/src", "embedded/src"] {
            collect(&root().join(folder), &mut code);
        }
        // A long string goes on in the next line, after a backslash.
        let code = code.split("\\\n").map(str::trim_start).collect::<String>();
        let text = std::fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
        let mut checked = 0;
        for line in text.lines().filter(|line| line.starts_with("| `")) {
            let message = line.split('`').nth(1).unwrap();
            for part in message.split('…').filter(|part| part.trim().len() > 3) {
                assert!(code.contains(part), "{part:?} of {message:?} is in no message");
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked}");
    }

    fn collect(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("guides.rs")
            {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
}
