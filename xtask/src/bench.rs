//! `cargo xtask bench`: measures how much time the harness itself takes, and how far its figures can be trusted.

mod calibration;
mod capacity;
mod costs;
mod median;
mod overhead;
mod report;
mod search;
mod setup;
mod simulated;
mod startup;

use std::sync::Arc;

use crate::failure::Failure;
use crate::run::stop::StopRequests;
use setup::Setup;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Time per scenario, without ramp, window and cooldown
    Overhead(overhead::Args),
    /// Time until the first request, compared with that of `kind create cluster --wait`
    Startup(startup::Args),
    /// Coverage of the confidence intervals, and how often each verdict is right, on simulated load tests
    Calibration(calibration::Args),
    /// How close the searched capacities are to those of simulated services
    Capacity(capacity::Args),
    /// How close the searched capacities are to the closed queue's, and how long a search takes, on a cluster
    Search(search::Args),
    /// Time and memory that the reports of a large matrix take
    Report(report::Args),
}

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    match &args.bench {
        Bench::Overhead(args) => {
            let setup = Setup::prepare(stop).await?;
            overhead::run(&setup, args).await.and(setup.delete_cluster().await)
        }
        Bench::Startup(args) => {
            let setup = Setup::prepare(stop).await?;
            startup::run(&setup, args).await.and(setup.delete_cluster().await)
        }
        Bench::Calibration(args) => calibration::run(stop, args).await,
        Bench::Capacity(args) => capacity::run(stop, args).await,
        Bench::Search(args) => search::run(stop, args).await,
        Bench::Report(args) => report::run(stop, args).await,
    }
}
