//! `cargo xtask nix`: checks the flake without a network, on a stand-in for nixpkgs.

mod evaluate;
mod host;
mod mistakes;
mod tool;

use std::io::Write as _;
use std::sync::Arc;

use crate::failure::{BUG, Failure};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::StopRequests;
use host::StandIn;
use tool::Nix;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Evaluate the flake for every system, build its packages and images, and use its shell
    Check {
        /// Build one small package and one image only, and only start the shell
        #[arg(long)]
        fast: bool,
        /// Run the flake's checks, too: clippy, documents and tests, as `cargo xtask ci` does without nix
        #[arg(long, conflicts_with = "fast")]
        checks: bool,
        /// Run the quick matrix on kind with the programs that Nix has built
        #[arg(long, conflicts_with = "fast")]
        kind: bool,
        /// A machine without nix is an error
        #[arg(long)]
        require: bool,
    },
    /// Plant mistakes in copies of the flake, and check that each of them is found
    Mistakes,
}

const HELP: &str = "\
Nix is taken from the variable LOCUST_MATRIX_NIX, or from PATH. Nothing is downloaded: nix/stub
stands for nixpkgs, and this machine's tools build the packages. Nix's store is a folder in
Cargo's target folder, so that no daemon and no /nix is needed.

Examples:
  Everything; the first time it compiles all programs:
      cargo xtask nix check

  What `cargo xtask ci` runs:
      cargo xtask nix check --fast

Exit codes: 0 all well or no nix here, 1 a check failed, 3 nix is required and missing,
130 interrupted.";

/// Said after every check, so that nobody takes the stand-in for the real thing.
const NOT_SHOWN: &str = "\
Only the real nixpkgs can show:
  - that its compiler, its static C library and its Python packages build this
  - that the image of Locust, which has only notes in the place of Python packages here, starts
  - builds for aarch64-linux and aarch64-darwin, which are evaluated only
  - the hash of Locust's wheel, which needs a download";

/// Said after the fast check.
const NOT_FAST: &str = "\
Only `cargo xtask nix check` without --fast shows that the other programs, the static ones and the
images of the driver and the stub build, and that the matrix runs in the shell and without a checkout.";

const PACKAGES: [&str; 9] = [
    "locust-matrix",
    "fake-inference",
    "locust-matrix-cluster",
    "xtask",
    "locust-matrix-static",
    "fake-inference-static",
    "e2e",
    "driver-image",
    "stub-image",
];

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let session = Session::open(stop, &host::folder(&folders).join("commands.log"), false)?;
    match args.task {
        Task::Check { fast, checks, kind, require } => match Nix::find(&session, &folders).await {
            Ok(nix) => check(&session, &folders, &nix, Extent { fast, checks, kind }).await,
            Err(failure) if require || failure.is_interruption() => Err(failure),
            Err(failure) => {
                session.progress.line(&format!("nix: not checked: {}", failure.what));
                Ok(())
            }
        },
        Task::Mistakes => {
            let nix = Nix::find(&session, &folders).await?;
            let stand_in = StandIn::of_notes(&folders);
            mistakes::check(&session, &folders, &nix, &stand_in).await
        }
    }
}

/// The fast part, if there is a nix on this machine.
pub(crate) async fn check_if_found(session: &Session, folders: &Folders) -> Result<(), Failure> {
    match Nix::find(session, folders).await {
        Ok(nix) => check(session, folders, &nix, Extent { fast: true, checks: false, kind: false }).await,
        Err(failure) if failure.is_interruption() => Err(failure),
        Err(failure) => {
            session.progress.line(&format!("nix: not checked: {}", failure.what));
            Ok(())
        }
    }
}

/// How much is built.
#[derive(Debug, Clone, Copy)]
struct Extent {
    fast: bool,
    checks: bool,
    kind: bool,
}

async fn check(session: &Session, folders: &Folders, nix: &Nix, extent: Extent) -> Result<(), Failure> {
    let notes = StandIn::of_notes(folders);
    let flake = folders.root.display().to_string();
    // Nix's own check of the outputs; as notes, all packages and checks are built in a second.
    let outputs = must_succeed(session, nix.command(&notes, &["flake", "check"]).arg(&flake));
    session.step("check the outputs of the flake", outputs).await?;
    let evaluation = async {
        let mut problems = evaluate::problems(session, nix, &flake, &notes).await?;
        problems.extend(evaluate::consumer_problems(session, folders, nix, &notes).await?);
        if problems.is_empty() {
            return Ok(());
        }
        for problem in &problems {
            let _ = writeln!(std::io::stdout(), "{problem}");
        }
        Err(Failure::new(BUG, "the flake is wrong", "correct the problems above"))
    };
    session.step("evaluate the flake for every system", evaluation).await?;

    let Some(machine) = StandIn::of_this_machine(session, folders).await? else {
        session
            .progress
            .line("nix: only evaluated: the compiler is Nix's own, so `nix flake check` is the real build");
        return Ok(());
    };
    // Without a static program: those are built for release, for which nothing can be shared with other builds.
    let chosen: Vec<&str> = if extent.fast {
        vec!["fake-inference", "locust-image"]
    } else {
        [&PACKAGES[..], &["locust-image"]].concat()
    };
    session.step("build packages and images", build(session, nix, &flake, &machine, &chosen)).await?;
    if extent.checks {
        let system = format!("checks.{}-linux", std::env::consts::ARCH);
        let checks = ["fmt", "clippy", "doc", "tests"].map(|check| format!("{system}.{check}"));
        let checks: Vec<&str> = checks.iter().map(String::as_str).collect();
        session.step("run the flake's checks", build(session, nix, &flake, &machine, &checks)).await?;
    }
    // On kind, the programs of the images come from Nix, too; the embedded cluster has no images.
    let words = match extent {
        Extent { fast: true, .. } => "--version",
        Extent { kind: true, .. } => {
            "xtask e2e --cluster kind --name nix-shell --replicas 1 --users 5 --duration 5s"
        }
        _ => "xtask e2e --cluster embedded --name nix-check --replicas 1 --users 5 --duration 5s",
    };
    let shell = nix.command(&machine, &["develop"]).arg(&flake);
    let shell = shell.args(["--command", "cargo"]).args(words.split(' ')).folder(&folders.root);
    let shell = nix.inherited(&machine, shell)?;
    let shell = shell.show(if extent.fast { ShowOutput::Nothing } else { ShowOutput::Stderr });
    session.step("use the shell", must_succeed(session, shell)).await?;
    if !extent.fast {
        let small = "--cluster embedded --replicas 1 --users 5 --duration 5s";
        session
            .step("run the matrix without a checkout", run_app(session, folders, nix, &machine, small))
            .await?;
    }
    if extent.kind {
        let quick = "--cluster kind --name nix-check";
        session.step("run the matrix on kind", run_app(session, folders, nix, &machine, quick)).await?;
    }
    session.progress.line(NOT_SHOWN);
    if extent.fast {
        session.progress.line(NOT_FAST);
    }
    Ok(())
}

/// `nix run .#e2e` from a folder that is no checkout.
async fn run_app(
    session: &Session,
    folders: &Folders,
    nix: &Nix,
    machine: &StandIn,
    flags: &str,
) -> Result<(), Failure> {
    let folder = host::folder(folders).join("elsewhere");
    crate::folders::create(&folder)?;
    let run = nix.command(machine, &["run"]).arg(format!("{}#e2e", folders.root.display())).arg("--");
    let run = run.args(flags.split(' ')).folder(&folder).show(ShowOutput::Stderr);
    must_succeed(session, run).await.map(drop)
}

async fn build(
    session: &Session,
    nix: &Nix,
    flake: &str,
    stand_in: &StandIn,
    packages: &[&str],
) -> Result<(), Failure> {
    let build = nix
        .command(stand_in, &["build"])
        .args(["--no-link", "--print-out-paths", "--print-build-logs"])
        .args(packages.iter().map(|package| format!("{flake}#{package}")));
    let done = must_succeed(session, build.show(ShowOutput::Indented)).await?;
    let paths: Vec<_> = done.stdout.lines().collect();
    if paths.len() != packages.len() {
        return Err(Failure::bug(format!("nix build: {} packages gave {paths:?}", packages.len())));
    }
    for path in paths {
        let built = nix.in_store(path);
        if !built.exists() {
            return Err(Failure::bug(format!("nix build: there is no {}", built.display())));
        }
    }
    Ok(())
}

async fn must_succeed(session: &Session, command: Cmd) -> Result<crate::run::command::Finished, Failure> {
    command.run(session).await?.require_success(session, BUG, "read what nix says above")
}
