//! `locust-matrix cleanup`: takes back what was deployed.

use std::io::Write;
use std::time::Duration;

use crate::cluster::{Cluster, ClusterFlags, await_gone};
use crate::deploy::{Overlay, job, objects, remove};
use crate::events::{Event, Events};
use crate::exit::{Error, ExitCode, Result};

/// Arguments of `cleanup`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Also delete the results, and the Lease beside them
    #[arg(long)]
    results: bool,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

/// How long pods may take to end.
const GONE_WITHIN: Duration = Duration::from_mins(3);

/// Deletes what this program has applied; prints one object per line to `out`.
///
/// # Errors
/// Exit code 3: no cluster or a missing permission; 4: pods do not end.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut (dyn Write + Send),
) -> Result<ExitCode> {
    let cluster = Cluster::connect(flags).await?;
    events.tell(Event::note(format!("cleaning up namespace {} in {}", cluster.namespace, cluster.server)));
    // The Job first: its driver stops the load while Locust is still there.
    let job = [job(&[])?];
    let removed = remove(&cluster, &job, arguments.dry_run).await?;
    tell(out, &removed);
    if !removed.is_empty() && !arguments.dry_run {
        await_gone(&cluster, "app=locust,role=driver", GONE_WITHIN).await.map_err(|timed_out| {
            Error::cluster(format!("the driver's pod does not end: {timed_out}"))
                .next("kubectl delete pod -l app=locust,role=driver --force")
        })?;
    }
    let mut rest = objects(Overlay::Kind, &[], None)?;
    rest.retain(|object| arguments.results || object["metadata"]["labels"]["app"] != "locust-matrix-results");
    tell(out, &remove(&cluster, &rest, arguments.dry_run).await?);
    Ok(ExitCode::Success)
}

fn tell(out: &mut (dyn Write + Send), removed: &[String]) {
    for object in removed {
        let _ = writeln!(out, "{object}");
    }
}
