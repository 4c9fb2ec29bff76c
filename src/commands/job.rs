//! `locust-matrix job`: submits the Job and follows it to its end.

mod follow;
mod submit;

use std::io::Write;

use super::pages;
use crate::cluster::{Cluster, ClusterFlags, guard};
use crate::config::{MatrixFlags, Settings};
use crate::events::Events;
use crate::exit::{ExitCode, Result};

/// Arguments of `job`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Image of the driver
    #[arg(long, value_name = "IMAGE", default_value = "locust-driver")]
    driver_image: String,
    /// What kind of cluster this is, for the records
    #[arg(long, value_name = "KIND", default_value = "existing")]
    cluster_kind: String,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pages: pages::Flags,
    /// Submit the Job and leave it to itself; `locust-matrix fetch` brings its results home
    #[arg(long, conflicts_with = "ui_port")]
    detach: bool,
    // The last, because what follows would stand under its heading.
    #[command(flatten)]
    matrix: MatrixFlags,
}

/// Submits the Job, prints its run id to `out`, and hands every line of its log to `log`.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; 3: no cluster, a missing permission, a Job that runs
/// already, an image that cannot be pulled; 4: the Job failed; 130: interrupted, the Job suspended.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut (dyn Write + Send),
    log: &(dyn Fn(&str) + Sync),
) -> Result<ExitCode> {
    let settings = Settings::from_flags(&arguments.matrix)?;
    let config = settings.clone().complete()?;
    let port = arguments.pages.take().await?;
    let cluster = Cluster::connect(flags).await?;
    guard(&cluster, &config.inference.deployment, arguments.yes, events).await?;
    let _pages = match port {
        Some(port) => Some(pages::open(&cluster, Some(port), events).await?),
        None => None,
    };
    let job = submit::submit(&cluster, &settings, arguments).await?;
    let _ = writeln!(out, "run id: {}", job.uid).and_then(|()| out.flush());
    if arguments.detach {
        return Ok(ExitCode::Success);
    }
    follow::follow(&cluster, &job, events, log).await
}
