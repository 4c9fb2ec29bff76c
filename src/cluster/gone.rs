//! Waiting until pods are gone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::Config as WatchConfig;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, timeout_at};

use super::connection::Cluster;
use super::listed::Listed;
use crate::wait::TimedOut;

/// Waits until no pod that `selector` selects is left.
///
/// # Errors
/// [`TimedOut`] with the names of the pods that still exist.
pub async fn await_gone(cluster: &Cluster, selector: &str, limit: Duration) -> Result<(), TimedOut> {
    let deadline = Instant::now() + limit;
    let mut changes =
        watcher(cluster.api::<Pod>(), WatchConfig::default().labels(selector)).default_backoff().boxed();
    let mut pods: Listed<Pod> = Listed::default();
    loop {
        match timeout_at(deadline, changes.next()).await {
            Ok(Some(Ok(event))) => pods.apply(event),
            Ok(Some(Err(_)) | None) => {}
            Err(_) => {
                let names: Vec<_> =
                    pods.complete().into_iter().flatten().map(|(_, pod)| pod.name_any()).collect();
                return Err(TimedOut { after: limit, last_seen: format!("pods {}", names.join(", ")) });
            }
        }
        if pods.complete().is_some_and(BTreeMap::is_empty) {
            return Ok(());
        }
    }
}
