//! `cargo xtask ci`: all checks, the fastest first.

use std::sync::Arc;

use crate::failure::{BUG, Failure};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::StopRequests;
use crate::{guides, nix, pins, suite, tidy};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    test: suite::Args,
}

const EXAMPLES: &str = "\
Checks formatting, clippy, tidy, versions and the documentation, the workflows if actionlint is
installed, and the flake if nix is; then runs every test and, unless --only
selects a tier, the commands of the guides. It ends at the first check that fails.

Examples:
  Before a commit:
      cargo xtask ci --only workspace

  On a machine where a missing tool must be an error:
      cargo xtask ci --require container --require kind

Exit codes: 0 all well, 1 a check failed, 2 usage, 3 something that is required is missing,
130 interrupted.";

/// Name, command, and the next step if it fails.
type Check = (&'static str, Cmd, &'static str);

/// `xtask` is this program's own command line, which tidy compares README.md with.
pub(crate) async fn run(args: Args, stop: Arc<StopRequests>, xtask: &clap::Command) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let log = folders.target.join("xtask-ci").join("commands.log");
    let session = Session::open(Arc::clone(&stop), &log, false)?;
    let [formatting, clippy, live_clippy, documentation] = checks();
    check(&session, &folders, formatting).await?;
    check(&session, &folders, clippy).await?;
    check(&session, &folders, live_clippy).await?;
    session.step("tidy", tidy::check(&session, &folders, xtask)).await?;
    session.step("versions", async { pins::check(&folders.root) }).await?;
    check(&session, &folders, documentation).await?;
    if_installed(&session, &folders, WORKFLOWS).await?;
    session.step("nix", nix::check_if_found(&session, &folders)).await?;
    drop(session);
    let everything = args.test.every_tier();
    suite::run(args.test, Arc::clone(&stop)).await?;
    if everything { guides::run(guides::Args::default(), stop).await } else { Ok(()) }
}

/// A tool that is not part of the toolchain, its arguments, and the next step if it fails.
const WORKFLOWS: (&str, &[&str], &str) = ("actionlint", &[], "correct the workflows as actionlint says");

async fn if_installed(
    session: &Session,
    folders: &Folders,
    (tool, arguments, next): (&'static str, &[&str], &str),
) -> Result<(), Failure> {
    let command =
        Cmd::new(tool).args(arguments.iter().copied()).folder(&folders.root).show(ShowOutput::Indented);
    match command.run(session).await {
        Ok(done) => done.require_success(session, BUG, next).map(drop),
        Err(failure) if failure.is_interruption() => Err(failure),
        Err(failure) => {
            session.progress.line(&format!("{tool}: not run: {}", failure.what));
            Ok(())
        }
    }
}

const CORRECT: &str = "correct what clippy names above; in a test, `#[expect(…, reason = …)]` may be right";

fn checks() -> [Check; 4] {
    let cargo = |words: &str| Cmd::new("cargo").args(words.split(' '));
    [
        ("formatting", cargo("fmt --all --check"), "cargo fmt --all"),
        ("clippy", cargo("clippy --workspace --all-targets --locked -- -D warnings"), CORRECT),
        // `--all-targets` leaves out the tests that a plain `cargo test` leaves out.
        (
            "clippy for the live tests",
            cargo(
                "clippy --workspace --test container --test embedded --test kind --test faults --test soak \
                 --locked -- -D warnings",
            ),
            CORRECT,
        ),
        (
            "documentation",
            cargo("doc --no-deps --workspace --locked").env("RUSTDOCFLAGS", "-D warnings"),
            "correct the links and the markup that rustdoc names above",
        ),
    ]
}

async fn check(session: &Session, folders: &Folders, (name, command, next): Check) -> Result<(), Failure> {
    let checking = command.folder(&folders.root).show(ShowOutput::Indented).run(session);
    session.step(name, async { checking.await?.require_success(session, BUG, next) }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clippy_and_rustdoc_warnings_are_errors_and_formatting_is_only_checked() {
        let lines: Vec<_> = checks().iter().map(|(_, command, _)| command.line()).collect();
        assert_eq!(
            lines,
            [
                "cargo fmt --all --check",
                "cargo clippy --workspace --all-targets --locked -- -D warnings",
                "cargo clippy --workspace --test container --test embedded --test kind --test faults --test soak \
                 --locked -- -D warnings",
                "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace --locked",
            ]
        );
    }
}
