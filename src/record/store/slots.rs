//! The prepared ConfigMaps: a group of them for each run that the cluster keeps. The first one of a group says
//! whose records it holds.

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ConfigMap;

use super::super::{SHARDS, decode};
use super::state::{RECORDS, RUN, RunState, Stored};
use crate::cluster::{Cluster, explain};
use crate::config::MOST_RUNS;
use crate::exit::{Error, Result};

/// The ConfigMaps of one run, of which only the first is read.
#[derive(Debug)]
pub(super) struct Slot {
    number: usize,
    pub(super) head: ConfigMap,
    pub(super) state: Option<RunState>,
}

impl Slot {
    pub(super) fn is_of(&self, run_id: &str) -> bool {
        self.state.as_ref().is_some_and(|state| state.run_id == run_id)
    }
}

/// The name of a prepared ConfigMap.
pub(super) fn name(number: usize) -> String {
    format!("locust-load-test-results-{number}")
}

/// All groups of ConfigMaps. Manifests of an earlier version have only the first.
pub(super) async fn slots(cluster: &Cluster) -> Result<Vec<Slot>> {
    let read = (0..MOST_RUNS).map(|number| async move {
        let name = name(number * SHARDS);
        match cluster.api::<ConfigMap>().get(&name).await {
            Ok(head) => Ok(Some(Slot { number, state: state_in(&head, &name)?, head })),
            Err(kube::Error::Api(status)) if number > 0 && matches!(status.code, 403 | 404) => Ok(None),
            Err(error) => Err(explain(&format!("configmap {}/{name}", cluster.namespace), &error)),
        }
    });
    Ok(try_join_all(read).await?.into_iter().flatten().collect())
}

fn state_in(head: &ConfigMap, name: &str) -> Result<Option<RunState>> {
    let text = head.data.as_ref().and_then(|data| data.get(RUN));
    let state = text.map(|text| {
        serde_json::from_str(text).map_err(|error| {
            Error::cluster(format!("configmap {name}: {RUN} is not understood: {error}"))
                .next("apply results.yaml of the manifests anew; its records are lost")
        })
    });
    state.transpose()
}

/// The newest run.
pub(super) fn newest(slots: &[Slot]) -> Option<usize> {
    let began = |slot: &Slot| slot.state.as_ref().map(|state| state.began);
    let runs = slots.iter().enumerate().filter_map(|(at, slot)| Some((at, began(slot)?)));
    runs.max_by_key(|(_, began)| *began).map(|(at, _)| at)
}

/// Where a new run may begin, so that the cluster keeps the newest `keep` runs with it. An empty group comes first,
/// then that of the oldest run.
pub(super) fn place_for_a_new_run(slots: &[Slot], keep: usize) -> Option<usize> {
    let usable = slots.iter().enumerate().take(keep.max(1));
    usable.min_by_key(|(_, slot)| slot.state.as_ref().map(|state| state.began)).map(|(at, _)| at)
}

/// The states with the newest first.
pub(super) fn states(states: impl Iterator<Item = RunState>) -> Vec<RunState> {
    let mut states: Vec<_> = states.collect();
    states.sort_by_key(|state| std::cmp::Reverse(state.began));
    states
}

/// Reads the other ConfigMaps of a group, and its records if they are wanted.
pub(super) async fn read_slot(
    cluster: &Cluster,
    mut slots: Vec<Slot>,
    at: Option<usize>,
    with_records: bool,
) -> Result<Stored> {
    let Some(at) = at.filter(|at| *at < slots.len()) else {
        let others = states(slots.into_iter().filter_map(|slot| slot.state));
        return Ok(Stored { others, ..Stored::default() });
    };
    let Slot { number, head, state } = slots.swap_remove(at);
    let first = number * SHARDS;
    let rest = try_join_all((first + 1..first + SHARDS).map(|number| async move {
        let name = name(number);
        let map = cluster.api::<ConfigMap>().get(&name).await;
        map.map_err(|error| explain(&format!("configmap {}/{name}", cluster.namespace), &error))
    }))
    .await?;
    let maps: Vec<_> = std::iter::once(head).chain(rest).collect();
    let records = if with_records {
        decode(maps.iter().filter_map(|map| Some(map.binary_data.as_ref()?.get(RECORDS)?.0.as_slice())))?
    } else {
        Vec::new()
    };
    let others = states(slots.into_iter().filter_map(|slot| slot.state));
    Ok(Stored { state, records, others, maps })
}
