//! `locust-matrix job`: submits the driver's Job and follows it until it ends.

mod follow;
mod log;
mod patience;
mod pods;
mod settings;
mod submit;
mod template;

use std::io::Write;
use std::time::Duration;

use self::patience::Limits;
use self::submit::{Driver, submit};
use super::signals;
use super::web_ui::{WebUiFlags, forward_to_master};
use crate::cluster::{Cluster, ClusterFlags, confirm_target, refuse_autoscaled};
use crate::config::{Config, MatrixFlags, Settings};
use crate::events::{Events, Progress};
use crate::exit::{ExitCode, Result};

/// Arguments of `job`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Image of the driver
    #[arg(long, value_name = "IMAGE", default_value = "locust-driver")]
    driver_image: String,
    /// Kind of the cluster, for the records
    #[arg(long, value_name = "KIND", default_value = "existing")]
    cluster_kind: String,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    web_ui: WebUiFlags,
    /// Submit the Job and do not follow it; get its results later with `locust-matrix fetch`
    #[arg(long, conflicts_with = "ui_port")]
    detach: bool,
    // These come last, because later flags would appear under their heading in --help.
    #[command(flatten)]
    matrix: MatrixFlags,
}

/// Submits the Job, prints its run id to `out`, and passes every line of its log to `log`. With `json_events`,
/// the driver in the Job's pod prints its progress as JSON, too.
///
/// # Errors
/// Exit code 2: the matrix cannot be used; 3: no cluster, a missing permission, a Job that is already
/// running, an image that cannot be pulled, a pod that is refused or finds no place; 4: the Job failed; 130: interrupted, and the Job is suspended.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    json_events: bool,
    events: &Events,
    out: &mut (dyn Write + Send),
    log: &(dyn Fn(&str) + Sync),
) -> Result<ExitCode> {
    let settings = Settings::from_flags(&arguments.matrix)?;
    let config = settings.clone().complete()?;
    let port = arguments.web_ui.bind_port().await?;
    let interrupted = signals::interrupted(events, signals::JOB_LEFT);
    let preparing = async {
        let cluster = Cluster::connect(flags, events).await?;
        let target = confirm_target(&cluster, &config.inference.target(), arguments.yes, events).await?;
        if !config.pause_autoscaler {
            refuse_autoscaled(&cluster, &target, events).await?;
        }
        let web_ui = match port {
            Some(port) => Some(forward_to_master(&cluster, Some(port), events).await?),
            None => None,
        };
        Ok((cluster, web_ui))
    };
    let (cluster, _web_ui) = signals::unless_interrupted(&interrupted, preparing).await?;
    let Arguments { driver_image, cluster_kind, .. } = arguments;
    let stops_within = stops_within(&config);
    let driver = Driver { image: driver_image, cluster_kind, json_events, stops_within };
    // Half of a submission would be left behind, so a signal waits for its end, and suspends the Job then.
    let job = submit(&cluster, &settings, &driver, events).await?;
    let _ = writeln!(out, "run id: {}", job.uid).and_then(|()| out.flush());
    if arguments.detach && !interrupted.is_cancelled() {
        return Ok(ExitCode::Success);
    }
    // The cluster ends the pod at the end of its grace period, and tells it a little later.
    let limits = Limits { ready: config.timeouts.ready.get(), stop: stops_within + Duration::from_secs(20) };
    let ended = follow::follow(&cluster, &job, limits, &interrupted, events, log).await;
    if ended.is_err() {
        // The driver may not have said so itself.
        events.tell(Progress::note(format!(
            "results: what was recorded is in the cluster: locust-matrix fetch --run {}",
            job.uid
        )));
    }
    ended
}

/// How long the driver's pod may take to stop: until the workers are idle, and then until its records are saved,
/// the replicas are put back and the Lease is released.
fn stops_within(config: &Config) -> Duration {
    const REST: Duration = Duration::from_secs(45);
    config.timeouts.stop.get() + REST
}
