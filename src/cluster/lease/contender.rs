//! One attempt to take, renew or release the Lease.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::Patch;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::connection::{Cluster, patch_params};
use super::super::failure::explain;
use crate::exit::{Error, Result};
use crate::objects::JOB;

/// After this long without a renewal, the Lease has expired and another driver may take it.
pub(super) const DURATION: Duration = Duration::from_secs(30);
/// The names of the driver's pods begin with this, whichever Job of the manifests they belong to.
const DRIVER_PODS: &str = "locust-load-test-";
/// How often a conflicting write is tried within one attempt.
const CONFLICTS: usize = 3;

/// Who holds the Lease after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// This driver.
    Held,
    /// This other driver.
    HeldBy(String),
}

/// A driver that wants the Lease, or has it.
#[derive(Debug)]
pub(super) struct Contender {
    cluster: Cluster,
    holder: String,
    observed: Option<Observed>,
}

/// The Lease as it was read, and when this process saw that it had become so.
#[derive(Debug)]
struct Observed {
    spec: LeaseSpec,
    since: Instant,
}

impl Contender {
    pub(super) fn new(cluster: &Cluster, holder: &str) -> Self {
        Self { cluster: cluster.clone(), holder: holder.to_owned(), observed: None }
    }

    /// Takes the Lease if nobody holds it, if it has expired, or if its holder's pod has ended.
    pub(super) async fn take(&mut self) -> Result<Attempt> {
        for _ in 0..CONFLICTS {
            let lease = self.read().await?;
            let spec = lease.spec.clone().unwrap_or_default();
            if let Some(other) = self.other_holder(&spec) {
                let unchanged = self.unchanged_for(&spec);
                let duration = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                let has_expired = unchanged >= duration.map_or(DURATION, Duration::from_secs);
                if !has_expired && !has_ended(&self.cluster, &other).await {
                    let seconds = unchanged.as_secs();
                    return Ok(Attempt::HeldBy(format!(
                        "{other}, whose lease has been unchanged for {seconds} s"
                    )));
                }
            }
            if self.write(&lease, &self.held(&spec)).await? {
                return Ok(Attempt::Held);
            }
        }
        Ok(Attempt::HeldBy("a driver that took the lease at the same moment".into()))
    }

    /// Renews the Lease, unless another driver holds it. A Lease that was taken and has expired since is not
    /// taken back.
    pub(super) async fn renew(&mut self) -> Result<Attempt> {
        for _ in 0..CONFLICTS {
            let lease = self.read().await?;
            let spec = lease.spec.clone().unwrap_or_default();
            if let Some(other) = self.other_holder(&spec) {
                return Ok(Attempt::HeldBy(other));
            }
            // A conflict may come from this driver's own write whose answer was lost. Only the holder counts.
            if self.write(&lease, &self.held(&spec)).await? {
                return Ok(Attempt::Held);
            }
        }
        Err(Error::cluster(format!("{}: it changes all the time", self.subject())))
    }

    /// Gives the Lease back, if this driver holds it.
    pub(super) async fn release(&mut self) -> Result<()> {
        for _ in 0..CONFLICTS {
            let lease = self.read().await?;
            let spec = lease.spec.clone().unwrap_or_default();
            if spec.holder_identity.as_deref() != Some(&self.holder) {
                return Ok(());
            }
            let free = json!({ "holderIdentity": "", "renewTime": MicroTime(Timestamp::now()) });
            if self.write(&lease, &free).await? {
                return Ok(());
            }
        }
        Err(Error::cluster(format!("{}: it changes all the time", self.subject())))
    }

    /// The fields of a Lease that this driver holds from now on.
    fn held(&self, spec: &LeaseSpec) -> Value {
        let now = MicroTime(Timestamp::now());
        let mut held = json!({
            "holderIdentity": self.holder,
            "leaseDurationSeconds": DURATION.as_secs(),
            "renewTime": now,
        });
        if spec.holder_identity.as_deref() != Some(&self.holder) {
            held["acquireTime"] = json!(now);
            held["leaseTransitions"] = (spec.lease_transitions.unwrap_or(0) + 1).into();
        }
        held
    }

    fn other_holder(&self, spec: &LeaseSpec) -> Option<String> {
        spec.holder_identity.clone().filter(|holder| !holder.is_empty() && *holder != self.holder)
    }

    /// How long this process has seen the Lease as it is now.
    fn unchanged_for(&mut self, spec: &LeaseSpec) -> Duration {
        let observed = self.observed.take().filter(|observed| observed.spec == *spec);
        let observed = observed.unwrap_or_else(|| Observed { spec: spec.clone(), since: Instant::now() });
        self.observed.insert(observed).since.elapsed()
    }

    async fn read(&self) -> Result<Lease> {
        self.leases().get(JOB).await.map_err(|error| explain(&self.subject(), &error))
    }

    /// Writes the Lease if it is still as it was read. False if it is not: two drivers that see a free Lease do
    /// not both get it.
    async fn write(&self, read: &Lease, spec: &Value) -> Result<bool> {
        let patch =
            json!({ "metadata": { "resourceVersion": read.metadata.resource_version }, "spec": spec });
        match self.leases().patch(JOB, &patch_params(), &Patch::Merge(&patch)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(explain(&self.subject(), &error)),
        }
    }

    fn leases(&self) -> Api<Lease> {
        self.cluster.api()
    }

    fn subject(&self) -> String {
        subject(&self.cluster)
    }
}

/// Whether the holder was a pod of the driver that does not run any more.
async fn has_ended(cluster: &Cluster, holder: &str) -> bool {
    if !holder.starts_with(DRIVER_PODS) {
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

/// The Lease in words, for messages.
pub(super) fn subject(cluster: &Cluster) -> String {
    format!("lease {}/{JOB}", cluster.namespace)
}
