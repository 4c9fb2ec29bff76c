//! One driver at a time in a namespace: drivers share a Lease that the manifests create.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::Patch;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::connection::{Cluster, patch_params};
use super::failure::explain;
use crate::exit::{Error, Result};
use crate::objects::JOB;
use crate::wait::{Condition, poll, silent};

/// After this long without a renewal, the Lease has expired and another driver may take it.
const DURATION: Duration = Duration::from_secs(15);
/// How often the holder renews the Lease.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long a new driver tries to take the Lease, longer than it takes to expire.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(20);
/// How long releasing may take. If the API server is gone, the Lease expires by itself.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// The right to scale and load, held and renewed in the background until [`Lease::release`].
#[derive(Debug)]
pub struct Lease {
    cluster: Cluster,
    holder: String,
    renewing: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Takes the Lease for `holder`. If the present holder's pod has ended or its Lease has expired, this
    /// driver takes its place. `lost` is cancelled when another driver takes the Lease later.
    ///
    /// # Errors
    /// Exit code 3: another driver holds the Lease, or it does not exist.
    pub async fn acquire(cluster: &Cluster, holder: &str, lost: CancellationToken) -> Result<Self> {
        let acquired = poll(ACQUIRE_WITHIN, Duration::from_millis(500), &silent, || async {
            match try_acquire(cluster, holder).await {
                Ok(None) => Condition::Met(Ok(())),
                Ok(Some(other)) => Condition::NotMet(other),
                Err(error) => Condition::Met(Err(error)),
            }
        });
        acquired.await.map_err(|timed_out| {
            Error::preflight(format!(
                "another driver is running in namespace {}: {}",
                cluster.namespace, timed_out.last_seen
            ))
            .next(format!("wait for it, or end it with: kubectl delete job {JOB}"))
        })??;
        let (task_cluster, task_holder) = (cluster.clone(), holder.to_owned());
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                // A failed call is tried again; only another holder means that the Lease is lost.
                if let Ok(Some(_)) = try_acquire(&task_cluster, &task_holder).await {
                    return lost.cancel();
                }
            }
        });
        Ok(Self { cluster: cluster.clone(), holder: holder.to_owned(), renewing })
    }

    /// Gives the Lease back, so that the next driver does not wait until it expires.
    pub async fn release(self) {
        self.renewing.abort();
        let patch = json!({ "spec": { "holderIdentity": "", "renewTime": MicroTime(Timestamp::now()) } });
        let leases = self.cluster.api::<LeaseObject>();
        let lease = tokio::time::timeout(RELEASE_WITHIN, leases.get(JOB)).await;
        if let Ok(Ok(lease)) = lease
            && lease.spec.and_then(|spec| spec.holder_identity).as_deref() == Some(&self.holder)
        {
            // A Lease that is not given back expires by itself.
            let _ = leases.patch(JOB, &patch_params(), &Patch::Merge(&patch)).await;
        }
    }
}

/// Takes or renews the Lease. If another driver holds it, gives that driver's name and last renewal in words.
async fn try_acquire(cluster: &Cluster, holder: &str) -> Result<Option<String>> {
    let subject = format!("lease {}/{JOB}", cluster.namespace);
    let leases = cluster.api::<LeaseObject>();
    let lease = leases.get(JOB).await.map_err(|error| explain(&subject, &error))?;
    let spec = lease.spec.unwrap_or_default();
    let other = spec.holder_identity.filter(|other| !other.is_empty() && other != holder);
    if let Some(other) = other {
        let renewed = spec.renew_time.map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        let age = Timestamp::now().duration_since(renewed);
        if age < DURATION.try_into().unwrap_or_default() && !has_ended(cluster, &other).await {
            return Ok(Some(format!("{other}, which renewed its lease {} s ago", age.as_secs())));
        }
    }
    // The resourceVersion makes sure that only one of two drivers that see a free Lease gets it.
    let patch = json!({
        "metadata": { "resourceVersion": lease.metadata.resource_version },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": DURATION.as_secs(),
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    match leases.patch(JOB, &patch_params(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            Ok(Some("a driver that took the lease at the same moment".into()))
        }
        Err(error) => Err(explain(&subject, &error)),
    }
}

/// Whether the holder was a pod of the Job that does not run any more.
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
