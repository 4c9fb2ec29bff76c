//! Records in the cluster: ConfigMaps that the manifests prepare, so that results outlive the pod
//! and a restarted Job can go on.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Patch;
use records::Record;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{SHARDS, Shards, decode, encode};
use crate::cluster::{Cluster, explain, patch_params};
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
}

/// The run's records in the cluster's ConfigMaps.
#[derive(Debug)]
pub struct ConfigMapStore {
    cluster: Cluster,
    written: Vec<Vec<u8>>,
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
    pub async fn read(cluster: &Cluster, only: Option<&str>) -> Result<(Option<RunState>, Vec<Record>)> {
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
        let run: Option<RunState> = run.transpose()?;
        if only.is_some_and(|id| run.as_ref().is_none_or(|run| run.run_id != id)) {
            return Ok((run, Vec::new()));
        }
        let parts = maps.iter().filter_map(|map| Some(map.binary_data.as_ref()?.get(RECORDS)?.0.as_slice()));
        Ok((run, decode(parts)?))
    }

    /// Begins or continues a run. Records of other runs are replaced.
    ///
    /// # Errors
    /// Exit code 3: the permission is missing; 4: the API server failed.
    pub async fn begin(cluster: &Cluster, state: &RunState, records: &[Record]) -> Result<Self> {
        let mut store = Self { cluster: cluster.clone(), written: vec![vec![0]; SHARDS] };
        let text = serde_json::to_string(state).map_err(|error| {
            Error::new(crate::exit::ExitCode::Bug, format!("run state cannot be written: {error}"))
        })?;
        // The records first: otherwise a crash leaves this run's name above another run's records.
        store.write(records).await?;
        store.patch(0, &json!({ "data": { RUN: text } })).await?;
        Ok(store)
    }

    /// Writes all records. A ConfigMap that has not changed is left alone. Returns the number of records
    /// whose samples were left out to make room.
    ///
    /// # Errors
    /// As [`ConfigMapStore::begin`]; also 4 if the records do not fit.
    pub async fn write(&mut self, records: &[Record]) -> Result<usize> {
        let Shards { parts, without_samples } = encode(records)?;
        for (shard, part) in parts.iter().enumerate() {
            if self.written.get(shard) != Some(part) {
                let data = BTreeMap::from([(RECORDS, ByteString(part.clone()))]);
                self.patch(shard, &json!({ "binaryData": data })).await?;
            }
        }
        self.written = parts;
        Ok(without_samples)
    }

    async fn patch(&self, shard: usize, patch: &serde_json::Value) -> Result<()> {
        let name = name(shard);
        let params = patch_params();
        let maps = self.cluster.api::<ConfigMap>();
        let patched = maps.patch(&name, &params, &Patch::Merge(patch)).await;
        patched
            .map(drop)
            .map_err(|error| explain(&format!("configmap {}/{name}", self.cluster.namespace), &error))
    }
}
