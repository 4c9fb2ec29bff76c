//! `cargo xtask bench capacity`: how close searched capacities are to the truth.

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
    /// Searches of each service
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

const HELP: &str = "\
Simulates services whose capacity is known, and searches it with the driver's own plan and judgement. Prints
a Markdown table: the share of searches within 5 %, and the probes they took. It needs no cluster.

Example:
      cargo xtask bench capacity > capacity.md";

pub(super) async fn run(stop: Arc<StopRequests>, args: &Args) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let folder = folders.target.join("xtask-bench");
    folders::create(&folder)?;
    let session = Session::open(stop, &folder.join("commands.log"), false)?;
    let example = ["run", "--release", "--locked", "-p", "locust-matrix", "--example", "capacity", "--"];
    let done = Cmd::new("cargo")
        .args(example)
        .args([args.runs.to_string()])
        .folder(&folders.root)
        .show(ShowOutput::Stderr)
        .run(&session)
        .await?;
    let done = done.require_success(&session, BUG, "read the message above")?;
    let _ = write!(std::io::stdout(), "{}", done.stdout);
    Ok(())
}
