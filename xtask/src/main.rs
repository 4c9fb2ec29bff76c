//! The tasks of this repository, called as `cargo xtask …`.
//!
//! It only builds things, calls programs and reads records, so that it compiles in seconds. Everything that needs a Kubernetes
//! client is in the driver (`locust-matrix`), which this program runs.

mod bench;
mod ci;
mod cleanup;
mod cli;
mod dist;
mod doctor;
mod e2e;
mod engine;
mod failure;
mod flake_programs;
mod folders;
mod guides;
mod image;
mod nix;
mod orphan;
mod pack;
mod pins;
#[cfg(test)]
mod pipelines;
mod run;
mod suite;
#[cfg(test)]
mod test_records;
mod tidy;
mod toolchain;
mod tracked;
mod versions;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};

use crate::cli::{Cli, Task};
use crate::failure::Failure;
use crate::run::stop::StopRequests;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.code)
        }
    }
}

#[tokio::main]
async fn start(cli: Cli) -> Result<(), Failure> {
    let stop = Arc::new(StopRequests::default());
    stop.listen()?;
    match cli.task {
        Task::E2e(args) => e2e::run(*args, stop).await,
        Task::Cleanup(args) => cleanup::run(args, stop).await,
        Task::Doctor(args) => doctor::run(args, stop).await,
        Task::Tidy(args) => tidy::run(args, stop, &Cli::command()).await,
        Task::Bench(args) => bench::run(args, stop).await,
        Task::Ci(args) => ci::run(args, stop, &Cli::command()).await,
        Task::Test(args) => suite::run(args, stop).await,
        Task::Nix(args) => nix::run(args, stop).await,
        Task::Versions(args) => pins::run(&args),
        Task::Guides(args) => guides::run(args, stop).await,
        Task::Dist(args) => dist::run(args, stop).await,
        Task::Image(args) => pack::run(&args),
    }
}
