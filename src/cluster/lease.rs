//! One driver at a time: a Lease that the manifests prepare.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::Patch;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Cluster, JOB, as_ourselves, explain};
use crate::exit::{Error, Result};
use crate::wait::{Look, poll};

/// Without a sign of life for this long, the next driver takes over.
const DURATION: Duration = Duration::from_secs(15);
/// An API server that is gone is not waited for: the Lease runs out by itself.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(3);
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// The right to scale and load, renewed in the background.
#[derive(Debug)]
pub struct Lease;

/// Held while a run goes on; give it back with [`LeaseGuard::release`].
#[derive(Debug)]
pub struct LeaseGuard {
    cluster: Cluster,
    holder: String,
    renewing: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Takes the Lease; a holder that has ended, or has not renewed it in time, is replaced. `lost` is
    /// cancelled when somebody else takes it.
    ///
    /// # Errors
    /// Exit code 3: another driver is at work, or the Lease is not there.
    pub async fn take(cluster: &Cluster, holder: &str, lost: CancellationToken) -> Result<LeaseGuard> {
        let taken = poll(DURATION + Duration::from_secs(5), Duration::from_millis(500), || async {
            match try_take(cluster, holder).await {
                Ok(None) => Look::Done(Ok(())),
                Ok(Some(other)) => Look::NotYet(other),
                Err(error) => Look::Done(Err(error)),
            }
        });
        taken.await.map_err(|timed_out| {
            Error::preflight(format!(
                "another driver is at work in namespace {}: {}",
                cluster.namespace, timed_out.last_seen
            ))
            .next(format!("wait for it, or end it with: kubectl delete job {JOB}"))
        })??;
        let (task_cluster, task_holder) = (cluster.clone(), holder.to_owned());
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                // An API server that is away for a moment is no loss; another holder is.
                if let Ok(Some(_)) = try_take(&task_cluster, &task_holder).await {
                    return lost.cancel();
                }
            }
        });
        Ok(LeaseGuard { cluster: cluster.clone(), holder: holder.to_owned(), renewing })
    }
}

impl LeaseGuard {
    /// Gives the Lease back, so that the next driver need not wait.
    pub async fn release(self) {
        self.renewing.abort();
        let patch = json!({ "spec": { "holderIdentity": "", "renewTime": MicroTime(Timestamp::now()) } });
        let lease = tokio::time::timeout(GIVE_BACK_WITHIN, self.cluster.api::<LeaseObject>().get(JOB)).await;
        if let Ok(Ok(lease)) = lease
            && lease.spec.and_then(|spec| spec.holder_identity).as_deref() == Some(&self.holder)
        {
            let params = as_ourselves();
            // What cannot be given back runs out by itself.
            let _ = self.cluster.api::<LeaseObject>().patch(JOB, &params, &Patch::Merge(&patch)).await;
        }
    }
}

/// Takes or renews; `Some` is the other holder, in words.
async fn try_take(cluster: &Cluster, holder: &str) -> Result<Option<String>> {
    let what = format!("lease {}/{JOB}", cluster.namespace);
    let leases = cluster.api::<LeaseObject>();
    let lease = leases.get(JOB).await.map_err(|error| explain(&what, &error))?;
    let spec = lease.spec.unwrap_or_default();
    let other = spec.holder_identity.filter(|other| !other.is_empty() && other != holder);
    if let Some(other) = other {
        let renewed = spec.renew_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        let silent = Timestamp::now().duration_since(renewed);
        if silent < DURATION.try_into().unwrap_or_default() && !has_ended(cluster, &other).await {
            return Ok(Some(format!("{other}, last heard of {} s ago", silent.as_secs())));
        }
    }
    // With the version it was read at: of two that see a free Lease, one gets it.
    let patch = json!({
        "metadata": { "resourceVersion": lease.metadata.resource_version },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION.as_secs(),
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    let params = as_ourselves();
    match leases.patch(JOB, &params, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Some("somebody who was quicker".into())),
        Err(error) => Err(explain(&what, &error)),
    }
}

/// Whether the holder was a pod that does not run any more.
async fn has_ended(cluster: &Cluster, holder: &str) -> bool {
    if !holder.starts_with(JOB) {
        return false;
    }
    match cluster.api::<Pod>().get_opt(holder).await {
        Ok(None) => true,
        Ok(Some(pod)) => {
            let phase = pod.status.and_then(|status| status.phase);
            matches!(phase.as_deref(), Some("Failed" | "Succeeded"))
        }
        Err(_) => false,
    }
}
