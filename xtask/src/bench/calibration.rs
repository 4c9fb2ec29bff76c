//! `cargo xtask bench calibration`: how often intervals hold the truth and verdicts are right.

use std::sync::Arc;

use super::simulated;
use crate::failure::Failure;
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
    let runs = ["--runs".to_owned(), args.runs.to_string()];
    let quick = args.quick.then(|| "--quick".to_owned());
    simulated::run(stop, "calibration", runs.into_iter().chain(quick)).await
}
