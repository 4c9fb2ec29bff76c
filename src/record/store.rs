//! Records in the cluster: ConfigMaps that the manifests prepare, so that results outlive the pod
//! and a restarted Job can go on.

mod fence;
mod slots;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Patch;
use records::Record;
use serde_json::{Value, json};

use self::fence::Fenced;
use self::slots::{Slot, newest, place_for_a_new_run, read_slot, slots, states};
pub use self::state::{OriginalReplicas, RunState, Stored};
use self::state::{RECORDS, RUN};
use super::{SHARDS, Shards, encode};
use crate::cluster::{Cluster, explain, patch_params};
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};

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

impl ConfigMapStore {
    /// Reads the records of the run `only`, or of the newest one. Records of other runs may have a format that this
    /// program does not read.
    ///
    /// # Errors
    /// Exit code 3: a ConfigMap is not there or may not be read; 4: the records are damaged.
    pub async fn read(cluster: &Cluster, only: Option<&str>) -> Result<Stored> {
        let slots = slots(cluster).await?;
        let at = match only {
            Some(id) => slots.iter().position(|slot| slot.is_of(id)),
            None => newest(&slots),
        };
        read_slot(cluster, slots, at, at.is_some()).await
    }

    /// Reads the records of the run, or else the ConfigMaps in which it may begin: those that are empty, or of the
    /// oldest of the `keep` newest runs.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_to_write(cluster: &Cluster, run_id: &str, keep: usize) -> Result<Stored> {
        let slots = slots(cluster).await?;
        let own = slots.iter().position(|slot| slot.is_of(run_id));
        let at = own.or_else(|| place_for_a_new_run(&slots, keep));
        read_slot(cluster, slots, at, own.is_some()).await
    }

    /// The states of all runs that the cluster keeps, the newest first.
    ///
    /// # Errors
    /// Exit code 3 or 4: the ConfigMaps cannot be read.
    pub async fn runs(cluster: &Cluster) -> Result<Vec<RunState>> {
        Ok(states(slots(cluster).await?.into_iter().filter_map(|slot| slot.state)))
    }

    /// Begins or continues a run, as this driver. `stored` is what [`Self::read_to_write`] has read. What its ConfigMaps
    /// hold is replaced: `records` must have all of it that is still wanted.
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

    /// Notes that the replicas of this Deployment are put back, so that no later run does it again.
    ///
    /// # Errors
    /// Exit code 3 or 4: it cannot be noted.
    pub async fn replicas_are_restored(cluster: &Cluster, workload: &str) -> Result<()> {
        for Slot { head, state, .. } in slots(cluster).await? {
            let state = state.filter(|state| state.restores.as_deref() == Some(workload));
            let (Some(state), Some(name)) = (state, head.metadata.name) else { continue };
            let text = serde_json::to_string(&RunState { restores: None, ..state }).unwrap_or_default();
            // The version makes sure that no other driver has begun a run meanwhile.
            let patch = json!({
                "metadata": { "resourceVersion": head.metadata.resource_version },
                "data": { RUN: text },
            });
            let patched =
                cluster.api::<ConfigMap>().patch(&name, &patch_params(), &Patch::Merge(patch)).await;
            patched.map_err(|error| explain(&format!("configmap {}/{name}", cluster.namespace), &error))?;
        }
        Ok(())
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
