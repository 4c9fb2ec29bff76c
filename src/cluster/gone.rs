//! Waiting until pods are gone.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, timeout_at};

use super::connection::{Cluster, watching};
use super::listed::Listed;
use super::pod_state::is_over;
use crate::wait::{Tell, Telling, TimedOut, with_causes};

/// Waits until no pod that `selector` selects is left, for their longest grace period and `beyond`. Pods that are over
/// are not waited for. `tell` hears of a wait that lasts.
///
/// # Errors
/// [`TimedOut`] with the names of the pods that still exist.
pub async fn await_gone(
    cluster: &Cluster,
    selector: &str,
    beyond: Duration,
    tell: &Tell<'_>,
) -> Result<(), TimedOut> {
    let begun = Instant::now();
    let mut limit = beyond;
    let mut telling = Telling::new(tell);
    let mut changes = watcher(cluster.api::<Pod>(), watching().labels(selector)).default_backoff().boxed();
    let mut pods: Listed<Pod> = Listed::default();
    let mut last_seen = "nothing".to_owned();
    loop {
        let deadline = begun + limit;
        match timeout_at(deadline.min(telling.due()), changes.next()).await {
            Ok(Some(Ok(event))) => pods.apply(event),
            Ok(Some(Err(error))) => last_seen = with_causes(&error),
            Ok(None) => {}
            Err(_) if Instant::now() >= deadline => return Err(TimedOut { after: limit, last_seen }),
            Err(_) => telling.tell_if_due(&last_seen),
        }
        let Some(pods) = pods.complete() else { continue };
        let running: Vec<&Pod> = pods.values().filter(|pod| !is_over(pod)).collect();
        if running.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = running.iter().map(|pod| pod.name_any()).collect();
        last_seen = format!("pods {}", names.join(", "));
        let grace =
            running.iter().filter_map(|pod| pod.spec.as_ref()?.termination_grace_period_seconds).max();
        let grace = grace.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        limit = limit.max(beyond + Duration::from_secs(grace));
    }
}
