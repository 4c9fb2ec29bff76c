//! Autoscalers of the service: found before the first scenario, and paused if the user asks for it.
//!
//! What a pause changes is kept in an annotation of the autoscaler itself, so that every later run can put it back,
//! even if the one that paused it was killed.

mod found;
mod pause;

use self::found::{Autoscaler, autoscalers_of};
pub use self::pause::{pause_autoscalers, resume_autoscalers};
use super::connection::Cluster;
use super::managers::reconciler;
use super::workload::Workload;
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};

/// Whether a run that was killed has left an autoscaler of this workload paused.
pub async fn is_left_paused(cluster: &Cluster, workload: &Workload) -> bool {
    autoscalers_of(cluster, workload).await.0.iter().any(Autoscaler::is_paused_by_us)
}

/// Refuses a workload that something else scales, because a matrix sets the replicas itself. Tells about
/// reconcilers, and if autoscalers cannot be listed.
///
/// # Errors
/// Exit code 3: an autoscaler is active.
pub async fn refuse_autoscaled(cluster: &Cluster, workload: &Workload, events: &Events) -> Result<()> {
    let (found, unknown) = autoscalers_of(cluster, workload).await;
    if let Some((why, _)) = unknown {
        events.tell(Progress::note(format!(
            "whether an autoscaler scales {} is not known: {why}",
            workload.describe()
        )));
    }
    if let Ok(object) = workload.api(cluster).get(&workload.name).await
        && let Some(manager) = reconciler(&object.metadata)
    {
        events.tell(Progress::note(format!(
            "{manager} may set the replicas of {}; if it puts back what the matrix sets, suspend it for the run",
            workload.describe()
        )));
    }
    let Some(first) = found.iter().find(|one| !one.is_paused_by_us()) else { return Ok(()) };
    Err(Error::preflight(format!("{}, and would change what the matrix sets", first.describe(workload)))
        .next("delete it for the run, or let the run pause it: --pause-autoscaler (pause_autoscaler: true)"))
}

#[cfg(test)]
mod tests;
