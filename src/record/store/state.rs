//! What the ConfigMaps of a run hold.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use records::Record;
use serde::{Deserialize, Serialize};

/// The key of the records.
pub(super) const RECORDS: &str = "records.jsonl.gz";
/// The key of the run's state.
pub(super) const RUN: &str = "run.json";

/// Replicas as they were before the run, to be put back at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalReplicas {
    /// Replicas of the service.
    pub inference: u32,
    /// Locust workers.
    pub workers: u32,
}

/// What a restarted Job must know of its run before it continues it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// The run.
    pub run_id: String,
    /// Hash of its plan.
    pub plan_hash: String,
    /// Replicas as they were before it.
    #[serde(rename = "found")]
    pub original: OriginalReplicas,
    /// The service's Deployment, while the replicas have yet to be put back; `None` once they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<String>,
    /// When it began; `None` in the state of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
}

impl RunState {
    /// The replicas that an earlier run of this Deployment has found and has not put back, because it was killed.
    pub(super) fn left_by_another_run(&self, run_id: &str, deployment: &str) -> Option<OriginalReplicas> {
        (self.run_id != run_id && self.restores.as_deref() == Some(deployment)).then_some(self.original)
    }
}

/// What the ConfigMaps of one run hold.
#[derive(Debug, Default)]
pub struct Stored {
    /// The run that the records belong to.
    pub state: Option<RunState>,
    /// Its records.
    pub records: Vec<Record>,
    /// The states of the other runs that the cluster keeps, the newest first.
    pub others: Vec<RunState>,
    pub(crate) maps: Vec<ConfigMap>,
}

impl Stored {
    /// The replicas that another run of this Deployment has found and has not put back, because it was killed.
    pub fn left_by_another_run(&self, run_id: &str, deployment: &str) -> Option<OriginalReplicas> {
        let mut states = self.others.iter().chain(&self.state);
        states.find_map(|state| state.left_by_another_run(run_id, deployment))
    }
}
