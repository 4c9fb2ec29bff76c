//! `cargo xtask bench`: measures how much time the harness itself takes.

mod costs;
mod median;
mod overhead;
mod setup;
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
}

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let setup = Setup::prepare(stop).await?;
    let ended = match &args.bench {
        Bench::Overhead(args) => overhead::run(&setup, args).await,
        Bench::Startup(args) => startup::run(&setup, args).await,
    };
    ended.and(setup.delete_cluster().await)
}
