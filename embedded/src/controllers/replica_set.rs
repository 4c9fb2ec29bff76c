//! ReplicaSets: create and delete pods until there are `spec.replicas` of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::pods;
use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::conditions;
use crate::object::events::Recorder;
use crate::object::labels::selects;
use crate::object::metadata::{is_terminating, meta, number};
use crate::object::owners::{claim, controller_key, controller_uid};
use crate::object::pods::{is_active, is_ready, ready_for};
use crate::store::{DeleteOptions, Key, Store};

pub(super) struct ReplicaSets;

const EVENTS: Recorder = Recorder("replicaset-controller");

impl Controller for ReplicaSets {
    const KINDS: &'static [&'static Kind] = &[&kinds::REPLICA_SETS, &kinds::PODS];

    fn keys_for(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::REPLICA_SETS {
            return vec![Key::of(kind, object)];
        }
        if controller_uid(object).is_some() {
            return controller_key(object, &kinds::REPLICA_SETS).into_iter().collect();
        }
        // A ReplicaSet may adopt a pod without a controller.
        let (sets, _) = store.list(&kinds::REPLICA_SETS, Some(meta(object, "namespace")));
        let is_selected = |set: &Arc<Value>| selects(&set["spec"]["selector"], &object["metadata"]["labels"]);
        sets.iter().filter(|set| is_selected(set)).map(|set| Key::of(&kinds::REPLICA_SETS, set)).collect()
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let set = store.get(key)?;
        let owned = claim(store, &kinds::PODS, &kinds::REPLICA_SETS, &set);
        let mut active: Vec<Arc<Value>> = owned.into_iter().filter(|pod| is_active(pod)).collect();
        let mut failure = None;
        if !is_terminating(&set) {
            let desired = desired_replicas(&set);
            let missing = desired.saturating_sub(active.len()).min(pods::BURST);
            let created = (0..missing)
                .try_for_each(|_| pods::create(store, EVENTS, &kinds::REPLICA_SETS, &set).map(drop));
            failure = created.err();
            if active.len() > desired {
                active.sort_by_cached_key(|pod| pods::deletion_order(pod));
                for pod in active.drain(..active.len() - desired) {
                    delete(store, &set, &pod);
                }
            }
        }
        // The pods created above are not counted yet: their creation is a change that reconciles this key
        // again.
        let min_ready = number(&set, "/spec/minReadySeconds").unwrap_or(0);
        let count = |holds: &dyn Fn(&Value) -> bool| active.iter().filter(|pod| holds(pod)).count();
        let ready = count(&is_ready);
        let available = count(&|pod| ready_for(pod).is_some_and(|seconds| seconds >= min_ready));
        let mut status = json!({
            "replicas": active.len(),
            "observedGeneration": set["metadata"]["generation"],
        });
        for (field, count) in [
            ("fullyLabeledReplicas", active.len()),
            ("readyReplicas", ready),
            ("availableReplicas", available),
        ] {
            if count > 0 {
                status[field] = json!(count);
            }
        }
        if let Some(refusal) = &failure {
            let conditions = &mut status["conditions"];
            *conditions = set["status"]["conditions"].clone();
            conditions::set(conditions, "ReplicaFailure", "True", "FailedCreate", &refusal.message);
        }
        // Refused if the set has been deleted meanwhile.
        let _ = store.update(key, |set| {
            set["status"] = status;
            Ok(())
        });
        // What was missing may exist by then.
        (available < ready || failure.is_some()).then_some(Duration::from_secs(1))
    }
}

fn desired_replicas(set: &Value) -> usize {
    usize::try_from(number(set, "/spec/replicas").unwrap_or(1)).unwrap_or(0)
}

fn delete(store: &Store, set: &Value, pod: &Value) {
    if store.delete(&Key::of(&kinds::PODS, pod), &DeleteOptions::default()).is_ok() {
        let message = format!("Deleted pod: {}", meta(pod, "name"));
        EVENTS.normal(store, &kinds::REPLICA_SETS, set, "SuccessfulDelete", &message);
    }
}
