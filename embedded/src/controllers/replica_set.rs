//! ReplicaSets: as many pods as are asked for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::events::Source;
use super::pods;
use super::work::Controller;
use crate::object::{claimed, controller_key, controller_uid, is_leaving, meta, number, selects};
use crate::store::{DeleteOptions, Key, Kind, Store, kinds};

pub(super) struct ReplicaSets;

const SOURCE: Source = Source("replicaset-controller");

impl Controller for ReplicaSets {
    const KINDS: &'static [&'static Kind] = &[&kinds::REPLICA_SETS, &kinds::PODS];

    fn concerns(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::REPLICA_SETS {
            return vec![Key::of(kind, object)];
        }
        if controller_uid(object).is_some() {
            return controller_key(object, &kinds::REPLICA_SETS).into_iter().collect();
        }
        // A pod of nobody's may be adopted.
        let (sets, _) = store.list(&kinds::REPLICA_SETS, Some(meta(object, "namespace")));
        let fits = |set: &Arc<Value>| selects(&set["spec"]["selector"], &object["metadata"]["labels"]);
        sets.iter().filter(|set| fits(set)).map(|set| Key::of(&kinds::REPLICA_SETS, set)).collect()
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let set = store.get(key)?;
        let owned = claimed(store, &kinds::PODS, &kinds::REPLICA_SETS, &set);
        let mut active: Vec<Arc<Value>> = owned.into_iter().filter(|pod| pods::is_active(pod)).collect();
        if !is_leaving(&set) {
            let wanted = wanted(&set);
            for _ in active.len()..wanted {
                create(store, &set);
            }
            if active.len() > wanted {
                active.sort_by_cached_key(|pod| pods::dispensable(pod));
                for pod in active.drain(..active.len() - wanted) {
                    delete(store, &set, &pod);
                }
            }
        }
        // What was made above comes back as a change, and is counted then.
        let min_ready = number(&set, "/spec/minReadySeconds").unwrap_or(0);
        let count = |wanted: &dyn Fn(&Value) -> bool| active.iter().filter(|pod| wanted(pod)).count();
        let ready = count(&pods::is_ready);
        let available = count(&|pod| pods::ready_for(pod).is_some_and(|seconds| seconds >= min_ready));
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
        // Gone meanwhile: nothing to say about it.
        let _ = store.update(key, |set| {
            set["status"] = status;
            Ok(())
        });
        (available < ready).then_some(Duration::from_secs(1))
    }
}

fn wanted(set: &Value) -> usize {
    usize::try_from(number(set, "/spec/replicas").unwrap_or(1)).unwrap_or(0)
}

fn create(store: &Store, set: &Value) {
    match store.create(&kinds::PODS, pods::from_template(&kinds::REPLICA_SETS, set)) {
        Ok(pod) => {
            let message = format!("Created pod: {}", meta(&pod, "name"));
            SOURCE.normal(store, &kinds::REPLICA_SETS, set, "SuccessfulCreate", &message);
        }
        Err(status) => {
            SOURCE.warning(
                store,
                &kinds::REPLICA_SETS,
                set,
                "FailedCreate",
                &format!("Error creating: {status}"),
            );
        }
    }
}

fn delete(store: &Store, set: &Value, pod: &Value) {
    if store.delete(&Key::of(&kinds::PODS, pod), &DeleteOptions::default()).is_ok() {
        let message = format!("Deleted pod: {}", meta(pod, "name"));
        SOURCE.normal(store, &kinds::REPLICA_SETS, set, "SuccessfulDelete", &message);
    }
}
