//! Deployments: one ReplicaSet for each version of the pod template, and rollouts from one to the next.

mod counts;
mod replica_sets;
mod rollout;
mod status;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::metadata::is_terminating;
use crate::object::owners::{claim, controller_key};
use crate::store::{Key, Store};
use counts::{available, desired, revision};
use rollout::{Limits, Replicas};

pub(super) struct Deployments;

impl Controller for Deployments {
    const KINDS: &'static [&'static Kind] = &[&kinds::DEPLOYMENTS, &kinds::REPLICA_SETS, &kinds::PODS];

    fn keys_for(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::DEPLOYMENTS {
            return vec![Key::of(kind, object)];
        }
        if *kind == kinds::REPLICA_SETS {
            return controller_key(object, &kinds::DEPLOYMENTS).into_iter().collect();
        }
        // The strategy `Recreate` waits until the last old pod has ended.
        let set = controller_key(object, &kinds::REPLICA_SETS).and_then(|key| store.get(&key));
        set.and_then(|set| controller_key(&set, &kinds::DEPLOYMENTS)).into_iter().collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let deployment = store.get(key)?;
        let mut old_sets = claim(store, &kinds::REPLICA_SETS, &kinds::DEPLOYMENTS, &deployment);
        old_sets.sort_by_key(|set| revision(set));
        let current = old_sets.iter().position(|set| replica_sets::has_template_of(set, &deployment));
        let mut new_set = current.map(|at| old_sets.remove(at));
        if !is_terminating(&deployment) {
            let paused = deployment["spec"]["paused"] == json!(true);
            if !paused {
                new_set = Some(advance(store, &deployment, new_set, &mut old_sets)?);
                replica_sets::annotate_revision(store, key, new_set.as_deref());
            } else if let Some(active) = new_set.as_ref().or(old_sets.last()) {
                replica_sets::scale(store, &deployment, active, desired(&deployment));
            }
        }
        let again = status::write(store, key, &deployment, new_set.as_deref(), &old_sets);
        if !is_terminating(&deployment) {
            replica_sets::clean_up(store, &deployment, new_set.as_deref(), &old_sets);
        }
        again
    }
}

/// Takes one step towards the new template. Returns the new set after the step, or `None` if it cannot be
/// created.
fn advance(
    store: &Store,
    deployment: &Value,
    new_set: Option<Arc<Value>>,
    old_sets: &mut [Arc<Value>],
) -> Option<Arc<Value>> {
    let total = desired(deployment);
    let replicas = |set: &Value| Replicas { desired: desired(set), available: available(set) };
    let new_set = match new_set {
        Some(set) => replica_sets::make_newest(store, set, old_sets),
        None => replica_sets::create(store, deployment, old_sets)?,
    };
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        for set in old_sets.iter_mut().filter(|set| desired(set) > 0) {
            *set = replica_sets::scale(store, deployment, set, 0);
        }
        if old_sets.iter().any(|set| replica_sets::has_pods(store, set)) {
            return Some(new_set);
        }
        return Some(replica_sets::scale(store, deployment, &new_set, total));
    }
    let limits = Limits::of(&deployment["spec"]["strategy"]["rollingUpdate"], total);
    let old_replicas: Vec<Replicas> = old_sets.iter().map(|set| replicas(set)).collect();
    let step = rollout::step(total, limits, replicas(&new_set), &old_replicas);
    for (set, count) in old_sets.iter_mut().zip(step.old_sets) {
        *set = replica_sets::scale(store, deployment, set, count);
    }
    Some(replica_sets::scale(store, deployment, &new_set, step.new_set))
}
