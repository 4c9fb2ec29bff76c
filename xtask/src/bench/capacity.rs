//! `cargo xtask bench capacity`: how close searched capacities are to the truth.

use std::sync::Arc;

use super::simulated;
use crate::failure::Failure;
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
    simulated::run(stop, "capacity", [args.runs.to_string()]).await
}
