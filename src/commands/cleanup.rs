//! `locust-matrix cleanup`: deletes everything that `deploy` and `job` have created.

use std::io::Write;
use std::time::Duration;

use crate::cluster::{Cluster, ClusterFlags, await_gone};
use crate::deploy::{Deletion, Overlay, delete, job, objects};
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::objects::{JOB, RESULTS_APP};
use crate::secrets::hide_credentials;

/// Arguments of `cleanup`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Also delete the results and the driver's Lease
    #[arg(long)]
    results: bool,
    /// Print the objects that would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

/// How long the driver's pod may exist after its grace period has ended. It restores the replicas within that period.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// Deletes the objects that this program created; prints one object per line to `out`. Objects of the same names
/// that it did not create are left alone, and the events name them.
///
/// # Errors
/// Exit code 3: no cluster or a missing permission; 4: the driver's pod does not end.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut (dyn Write + Send),
) -> Result<ExitCode> {
    let cluster = Cluster::connect(flags, events).await?;
    let (namespace, server) = (cluster.namespace.clone(), hide_credentials(&cluster.server));
    events.tell(Progress::CleanupStarted { namespace, server });
    // The Job comes first, because its driver stops the load and needs Locust for that.
    let job = [job(&[])?];
    let deletion = delete(&cluster, &job, arguments.dry_run).await?;
    show(out, events, &deletion);
    if !deletion.deleted.is_empty() && !arguments.dry_run {
        let pods = format!("job-name={JOB}");
        let tell = events.waiting("the driver's pod to end");
        await_gone(&cluster, &pods, ENDS_WITHIN, &tell).await.map_err(|timed_out| {
            Error::cluster(format!("the driver's pod does not end {timed_out}")).next(format!(
                "see what keeps it: kubectl describe pods -l {pods}; then run cleanup again, which deletes the rest"
            ))
        })?;
    }
    let mut rest = objects(Overlay::Kind, &[], None)?;
    rest.extend(objects(Overlay::NetworkPolicy, &[], None)?);
    rest.retain(|object| arguments.results || object["metadata"]["labels"]["app"] != RESULTS_APP);
    show(out, events, &delete(&cluster, &rest, arguments.dry_run).await?);
    Ok(ExitCode::Success)
}

/// Prints what was deleted to `out`, and tells what was left alone.
fn show(out: &mut (dyn Write + Send), events: &Events, deletion: &Deletion) {
    for object in &deletion.deleted {
        let _ = writeln!(out, "{object}");
    }
    for (object, why) in &deletion.left {
        events.tell(Progress::note(format!("left alone: {object}, because {why}")));
    }
}
