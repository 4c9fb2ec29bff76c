//! `cargo xtask bench report`: how long the reports of a large matrix take.

use std::sync::Arc;

use super::simulated;
use crate::failure::Failure;
use crate::folders::{self, Folders};
use crate::run::stop::StopRequests;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Scenarios of the matrix
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    scenarios: u32,
}

const HELP: &str = "\
Writes every report of a computed matrix to target/xtask-bench/report, and prints a Markdown table: the time, the size
of report.html, and the memory. For 1,000 scenarios, the reports should take less than 1 s and 100 MiB. It needs no
cluster.

Example:
      cargo xtask bench report --scenarios 24";

pub(super) async fn run(stop: Arc<StopRequests>, args: &Args) -> Result<(), Failure> {
    let folder = Folders::find()?.target.join("xtask-bench/report");
    folders::create(&folder)?;
    simulated::run(stop, "report", [args.scenarios.to_string(), folder.display().to_string()]).await
}
