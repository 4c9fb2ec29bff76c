//! StatefulSets: pods with the numbers 0 to `spec.replicas` - 1 as names, made upwards and deleted downwards.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::pods;
use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::events::Recorder;
use crate::object::metadata::{is_terminating, meta, number};
use crate::object::owners::{claim, controller_key};
use crate::object::pods::{has_ended, is_active, is_ready, ready_for};
use crate::store::{DeleteOptions, Key, Store};

pub(super) struct StatefulSets;

const EVENTS: Recorder = Recorder("statefulset-controller");
/// The label with the template that a pod was made from.
const REVISION: &str = "controller-revision-hash";

impl Controller for StatefulSets {
    const KINDS: &'static [&'static Kind] = &[&kinds::STATEFUL_SETS, &kinds::PODS];

    fn keys_for(&self, _store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::STATEFUL_SETS {
            return vec![Key::of(kind, object)];
        }
        controller_key(object, &kinds::STATEFUL_SETS).into_iter().collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let set = store.get(key)?;
        let state = Observed::of(store, &set);
        let failed = !is_terminating(&set) && !state.move_on(store);
        // What is created and deleted here is a change that reconciles this key again.
        let status = state.status();
        let waits = number_in(&status, "availableReplicas") < number_in(&status, "readyReplicas");
        // Refused if the set has been deleted meanwhile.
        let _ = store.update(key, |set| {
            set["status"] = status;
            Ok(())
        });
        (failed || waits).then_some(Duration::from_secs(1))
    }
}

/// A StatefulSet and its pods at one moment.
struct Observed<'a> {
    set: &'a Value,
    /// Its pods by their numbers.
    pods: BTreeMap<usize, Arc<Value>>,
    desired: usize,
    /// Whether one pod is started or ended at a time.
    ordered: bool,
    min_ready: i64,
    /// The name of the present template.
    revision: String,
}

impl<'a> Observed<'a> {
    fn of(store: &Store, set: &'a Arc<Value>) -> Self {
        let owned = claim(store, &kinds::PODS, &kinds::STATEFUL_SETS, set);
        let pods = owned.into_iter().filter_map(|pod| Some((ordinal(set, &pod)?, pod))).collect();
        let mut hasher = DefaultHasher::new();
        set["spec"]["template"].to_string().hash(&mut hasher);
        Self {
            set,
            pods,
            desired: usize::try_from(number(set, "/spec/replicas").unwrap_or(1)).unwrap_or(0),
            ordered: set["spec"]["podManagementPolicy"] != "Parallel",
            min_ready: number(set, "/spec/minReadySeconds").unwrap_or(0),
            revision: format!("{}-{:09x}", meta(set, "name"), hasher.finish() & 0xf_ffff_ffff),
        }
    }

    /// Takes the next steps. Returns whether none was refused.
    fn move_on(&self, store: &Store) -> bool {
        let mut burst = pods::BURST;
        for at in 0..self.desired {
            let Some(pod) = self.pods.get(&at) else {
                let labels = [
                    ("statefulset.kubernetes.io/pod-name", format!("{}-{at}", meta(self.set, "name"))),
                    ("apps.kubernetes.io/pod-index", at.to_string()),
                    (REVISION, self.revision.clone()),
                ];
                if pods::create_numbered(store, EVENTS, self.set, at, &labels).is_err() {
                    return false;
                }
                burst = burst.saturating_sub(1);
                if self.ordered || burst == 0 {
                    return true;
                }
                continue;
            };
            if has_ended(pod) && !is_terminating(pod) {
                self.delete(store, pod);
                return true;
            }
            if self.ordered && !self.is_available(pod) {
                return true;
            }
        }
        let surplus = self.pods.range(self.desired..).rev();
        let surplus: Vec<_> = surplus.map(|(_, pod)| pod).collect();
        for pod in &surplus {
            if !is_terminating(pod) {
                self.delete(store, pod);
            }
            // The next one waits until this one is gone.
            if self.ordered {
                return true;
            }
        }
        if surplus.is_empty() {
            self.update_one(store);
        }
        true
    }

    /// Deletes the last pod of an old template, once all pods are ready.
    fn update_one(&self, store: &Store) {
        let strategy = &self.set["spec"]["updateStrategy"];
        if strategy["type"] == "OnDelete" || !self.pods.values().all(|pod| is_active(pod) && is_ready(pod)) {
            return;
        }
        let first =
            usize::try_from(number(self.set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0));
        let mut old = self.pods.range(first.unwrap_or(0)..).rev().map(|(_, pod)| pod);
        if let Some(pod) = old.find(|pod| !self.is_updated(pod)) {
            self.delete(store, pod);
        }
    }

    fn is_available(&self, pod: &Value) -> bool {
        is_active(pod) && ready_for(pod).is_some_and(|seconds| seconds >= self.min_ready)
    }

    fn is_updated(&self, pod: &Value) -> bool {
        pod["metadata"]["labels"][REVISION] == self.revision.as_str()
    }

    fn delete(&self, store: &Store, pod: &Value) {
        if store.delete(&Key::of(&kinds::PODS, pod), &DeleteOptions::default()).is_ok() {
            let (pod, set) = (meta(pod, "name"), meta(self.set, "name"));
            let message = format!("delete Pod {pod} in StatefulSet {set} successful");
            EVENTS.normal(store, &kinds::STATEFUL_SETS, self.set, "SuccessfulDelete", &message);
        }
    }

    fn status(&self) -> Value {
        let count = |holds: &dyn Fn(&Value) -> bool| self.pods.values().filter(|pod| holds(pod)).count();
        let ready = count(&|pod| is_active(pod) && is_ready(pod));
        let updated = count(&|pod| self.is_updated(pod));
        let is_complete = updated == self.pods.len() && ready == self.desired && updated == ready;
        let before = &self.set["status"]["currentRevision"];
        let current = before.as_str().filter(|_| !is_complete).unwrap_or(&self.revision);
        json!({
            "observedGeneration": self.set["metadata"]["generation"],
            "replicas": self.pods.len(),
            "readyReplicas": ready,
            "availableReplicas": count(&|pod| self.is_available(pod)),
            "currentReplicas": count(&|pod| pod["metadata"]["labels"][REVISION] == current),
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": self.revision,
            "collisionCount": 0,
        })
    }
}

/// The number at the end of a pod's name.
fn ordinal(set: &Value, pod: &Value) -> Option<usize> {
    meta(pod, "name").strip_prefix(meta(set, "name"))?.strip_prefix('-')?.parse().ok()
}

fn number_in(status: &Value, field: &str) -> u64 {
    status[field].as_u64().unwrap_or(0)
}
