//! `cargo xtask bench calibration`: how often intervals hold the truth and verdicts are right.

use std::io::Write as _;
use std::sync::Arc;

use crate::failure::{BUG, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::StopRequests;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Simulated measurements of each cell
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only a few cells
    #[arg(long)]
    quick: bool,
}

const HELP: &str = "\
Simulates load tests whose truth is known, closed and open, and judges them with the driver's own
functions. Prints Markdown tables: how often an interval was printed and held the truth, and the share
of each verdict; at the end the requirements with the cells that miss them. It needs no cluster.
Takes about ten minutes on two free cores, half a minute with --quick.

Example:
      cargo xtask bench calibration > calibration.md";

pub(super) async fn run(stop: Arc<StopRequests>, args: &Args) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let folder = folders.target.join("xtask-bench");
    folders::create(&folder)?;
    let session = Session::open(stop, &folder.join("commands.log"), false)?;
    let example = ["run", "--release", "--locked", "-p", "locust-matrix", "--example", "calibration", "--"];
    let done = Cmd::new("cargo")
        .args(example)
        .args(["--runs", &args.runs.to_string()])
        .args(args.quick.then_some("--quick"))
        .folder(&folders.root)
        .show(ShowOutput::Stderr)
        .run(&session)
        .await?;
    let done = done.require_success(&session, BUG, "read the message above")?;
    let _ = write!(std::io::stdout(), "{}", done.stdout);
    Ok(())
}
