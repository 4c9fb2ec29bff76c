//! Records in the cluster: ConfigMaps that the manifests prepare, so that results outlive the pod
//! and a restarted Job can go on.

mod fence;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Patch;
use records::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::fence::Fenced;
use super::{SHARDS, Shards, decode, encode};
use crate::cluster::{Cluster, explain, patch_params};
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};

const RECORDS: &str = "records.jsonl.gz";
const RUN: &str = "run.json";

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
}

impl RunState {
    /// The replicas that an earlier run of this Deployment has found and has not put back, because it was killed.
    pub fn left_by_another_run(&self, run_id: &str, deployment: &str) -> Option<OriginalReplicas> {
        (self.run_id != run_id && self.restores.as_deref() == Some(deployment)).then_some(self.original)
    }
}

/// The run's records in the cluster's ConfigMaps. Only one driver at a time can write them: each write names the
/// driver, and a driver that another one has followed is refused.
#[derive(Debug)]
pub struct ConfigMapStore {
    maps: Vec<Fenced>,
    written: Vec<Vec<u8>>,
    writer: Writer,
    /// The ids and attempts of the records without room that the user has been told.
    told: BTreeSet<(String, u32)>,
}

/// The driver that writes.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Its name on the Lease.
    pub holder: String,
    /// Whether it runs in a pod, whose folder is gone when the pod is.
    pub is_pod: bool,
    /// Gets the records for which the cluster has no room.
    pub events: Events,
}

/// What the ConfigMaps hold.
#[derive(Debug, Default)]
pub struct Stored {
    /// The run that the records belong to.
    pub state: Option<RunState>,
    /// Its records.
    pub records: Vec<Record>,
    pub(crate) maps: Vec<ConfigMap>,
}

/// The name of a prepared ConfigMap.
fn name(shard: usize) -> String {
    format!("locust-load-test-results-{shard}")
}

impl ConfigMapStore {
    /// Reads the records that the ConfigMaps hold: those of the run `only`, or of whichever run they belong to.
    /// Records of other runs may have a format that this program does not read.
    ///
    /// # Errors
    /// Exit code 3: a ConfigMap is not there or may not be read; 4: the records are damaged.
    pub async fn read(cluster: &Cluster, only: Option<&str>) -> Result<Stored> {
        let maps = futures::future::try_join_all((0..SHARDS).map(|shard| async move {
            let name = name(shard);
            let map = cluster.api::<ConfigMap>().get(&name).await;
            map.map_err(|error| explain(&format!("configmap {}/{name}", cluster.namespace), &error))
        }))
        .await?;
        let run = maps.first().and_then(|map| map.data.as_ref()?.get(RUN));
        let run = run.map(|text| {
            serde_json::from_str(text).map_err(|error| {
                Error::cluster(format!("configmap {}: {RUN} is not understood: {error}", name(0)))
                    .next("apply results.yaml of the manifests anew; its records are lost")
            })
        });
        let state: Option<RunState> = run.transpose()?;
        if only.is_some_and(|id| state.as_ref().is_none_or(|run| run.run_id != id)) {
            return Ok(Stored { state, records: Vec::new(), maps });
        }
        let parts = maps.iter().filter_map(|map| Some(map.binary_data.as_ref()?.get(RECORDS)?.0.as_slice()));
        let records = decode(parts)?;
        Ok(Stored { state, records, maps })
    }

    /// Begins or continues a run, as this driver. Records of other runs are replaced; `stored` is what this driver has read, and `records` must have all of it that is still wanted.
    ///
    /// # Errors
    /// Exit code 3: the permission is missing; 4: the API server failed, or another driver has written records
    /// since they were read.
    pub async fn begin(
        cluster: &Cluster,
        writer: Writer,
        stored: Stored,
        state: &RunState,
        records: &[Record],
    ) -> Result<Self> {
        let maps = stored.maps.into_iter();
        let mut maps: Vec<_> = maps.map(|map| Fenced::of(cluster, &writer.holder, map)).collect();
        // All of them, before the first is written: from here on, an earlier driver can change none.
        for map in &mut maps {
            map.claim().await?;
        }
        let mut store = Self { maps, written: vec![vec![0]; SHARDS], writer, told: BTreeSet::new() };
        let text = serde_json::to_string(state).map_err(|error| {
            Error::new(crate::exit::ExitCode::Bug, format!("run state cannot be written: {error}"))
        })?;
        // The records first: otherwise a crash leaves this run's name above another run's records.
        store.write(records).await?;
        store.patch(0, json!({ "data": { RUN: text } })).await?;
        Ok(store)
    }

    /// Notes that the replicas of the run in the ConfigMaps are put back, so that no later run does it again.
    ///
    /// # Errors
    /// Exit code 3 or 4: it cannot be noted.
    pub async fn replicas_are_restored(cluster: &Cluster) -> Result<()> {
        let (maps, name) = (cluster.api::<ConfigMap>(), name(0));
        let failed = |error| explain(&format!("configmap {}/{name}", cluster.namespace), &error);
        let map = maps.get(&name).await.map_err(failed)?;
        let state = map.data.as_ref().and_then(|data| serde_json::from_str::<RunState>(data.get(RUN)?).ok());
        let Some(state) = state.filter(|state| state.restores.is_some()) else { return Ok(()) };
        let text = serde_json::to_string(&RunState { restores: None, ..state }).unwrap_or_default();
        // The version makes sure that no other driver has begun a run meanwhile.
        let patch = json!({
            "metadata": { "resourceVersion": map.metadata.resource_version },
            "data": { RUN: text },
        });
        let patched = maps.patch(&name, &patch_params(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(failed)
    }

    /// Writes all records. A ConfigMap that has not changed is left alone. Returns the number of records
    /// of which something was left out to make room.
    ///
    /// A record without room for its figures goes to the log of this driver's pod, and its scenario still counts
    /// as recorded.
    ///
    /// # Errors
    /// Exit code 3: the permission is missing; 4: the API server failed, or another driver writes its records
    /// now.
    pub async fn write(&mut self, records: &[Record]) -> Result<usize> {
        let Shards { parts, thinned, overflown } = encode(records, &self.kept_in())?;
        for record in overflown.iter().filter_map(|at| records.get(*at)) {
            if self.told.insert((record.scenario.id.clone(), record.attempt)) {
                self.tell(record);
            }
        }
        for (shard, part) in parts.iter().enumerate() {
            if self.written.get(shard) != Some(part) {
                let data = BTreeMap::from([(RECORDS, ByteString(part.clone()))]);
                self.patch(shard, json!({ "binaryData": data })).await?;
            }
        }
        self.written = parts;
        Ok(thinned)
    }

    /// Where the records are for which the cluster has no room.
    fn kept_in(&self) -> String {
        let holder = &self.writer.holder;
        if self.writer.is_pod {
            format!("it is a line of the log of pod {holder}: kubectl logs {holder} | grep '^record of '")
        } else {
            format!("it is in the results of the run that {holder} has made")
        }
    }

    fn tell(&self, record: &Record) {
        let (id, attempt) = (&record.scenario.id, record.attempt);
        let text = match serde_json::to_string(record) {
            Ok(line) if self.writer.is_pod => format!("record of {id}, attempt {attempt}: {line}"),
            _ => format!("the cluster has no room for the record of {id}; it is on disk"),
        };
        self.writer.events.tell(Progress::note(text));
    }

    async fn patch(&mut self, shard: usize, patch: Value) -> Result<()> {
        match self.maps.get_mut(shard) {
            Some(map) => map.patch(patch).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
