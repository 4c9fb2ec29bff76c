//! Deployments: one ReplicaSet per template, and the way from one to the next.

mod rollout;
mod status;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::events::Source;
use super::pods;
use super::work::Controller;
use crate::object::{claimed, controller_key, controller_uid, is_leaving, meta, number, owned_by};
use crate::store::{DeleteOptions, Key, Kind, Store, kinds};
use rollout::{Bounds, Set};

pub(super) struct Deployments;

const SOURCE: Source = Source("deployment-controller");
const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

impl Controller for Deployments {
    const KINDS: &'static [&'static Kind] = &[&kinds::DEPLOYMENTS, &kinds::REPLICA_SETS, &kinds::PODS];

    fn concerns(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        if *kind == kinds::DEPLOYMENTS {
            return vec![Key::of(kind, object)];
        }
        if *kind == kinds::REPLICA_SETS {
            return controller_key(object, &kinds::DEPLOYMENTS).into_iter().collect();
        }
        // Recreate waits for the last pod to be gone.
        let set = controller_key(object, &kinds::REPLICA_SETS).and_then(|key| store.get(&key));
        set.and_then(|set| controller_key(&set, &kinds::DEPLOYMENTS)).into_iter().collect()
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let deployment = store.get(key)?;
        let mut sets = claimed(store, &kinds::REPLICA_SETS, &kinds::DEPLOYMENTS, &deployment);
        sets.sort_by_key(|set| revision(set));
        let mut news = sets.iter().position(|set| same_template(set, &deployment)).map(|at| sets.remove(at));
        if !is_leaving(&deployment) {
            let paused = deployment["spec"]["paused"] == json!(true);
            if !paused {
                news = Some(self.advance(store, &deployment, news, &mut sets)?);
                annotate(store, key, news.as_deref());
            } else if let Some(active) = news.as_ref().or(sets.last()) {
                scale(store, &deployment, active, wanted(&deployment));
            }
        }
        let again = status::write(store, key, &deployment, news.as_deref(), &sets);
        if !is_leaving(&deployment) {
            forget(store, &deployment, news.as_deref(), &sets);
        }
        again
    }
}

impl Deployments {
    /// One step of the way to the new template. The new set, as it is afterwards; `None` when it cannot be.
    #[expect(clippy::unused_self, reason = "reads as a part of the controller")]
    fn advance(
        &self,
        store: &Store,
        deployment: &Value,
        news: Option<Arc<Value>>,
        olds: &mut [Arc<Value>],
    ) -> Option<Arc<Value>> {
        let desired = wanted(deployment);
        let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
        let numbers = |set: &Value| Set { wanted: replicas(set), available: available(set) };
        let news = match news {
            Some(set) => renumber(store, set, olds),
            None => create(store, deployment, olds)?,
        };
        if recreate {
            for old in olds.iter_mut().filter(|old| replicas(old) > 0) {
                *old = scale(store, deployment, old, 0);
            }
            let left = olds.iter().any(|old| has_pods(store, old));
            return Some(if left { news } else { scale(store, deployment, &news, desired) });
        }
        let bounds = Bounds::of(&deployment["spec"]["strategy"]["rollingUpdate"], desired);
        let numbered: Vec<Set> = olds.iter().map(|old| numbers(old)).collect();
        let step = rollout::step(desired, bounds, numbers(&news), &numbered);
        for (old, wanted) in olds.iter_mut().zip(step.olds) {
            *old = scale(store, deployment, old, wanted);
        }
        Some(scale(store, deployment, &news, step.new))
    }
}

fn wanted(deployment: &Value) -> i64 {
    number(deployment, "/spec/replicas").unwrap_or(1)
}

fn replicas(set: &Value) -> i64 {
    number(set, "/spec/replicas").unwrap_or(1)
}

fn available(set: &Value) -> i64 {
    number(set, "/status/availableReplicas").unwrap_or(0)
}

fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn has_pods(store: &Store, set: &Value) -> bool {
    let (pods, _) = store.list(&kinds::PODS, Some(meta(set, "namespace")));
    pods.iter().any(|pod| controller_uid(pod) == Some(meta(set, "uid")) && !pods::has_ended(pod))
}

/// Whether a set is of this template, but for the hash in its labels.
fn same_template(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template == deployment["spec"]["template"]
}

fn create(store: &Store, deployment: &Value, olds: &[Arc<Value>]) -> Option<Arc<Value>> {
    let mut hasher = DefaultHasher::new();
    deployment["spec"]["template"].to_string().hash(&mut hasher);
    let hash = format!("{:09x}", hasher.finish() & 0xf_ffff_ffff);
    let name = format!("{}-{hash}", meta(deployment, "name"));
    let labelled = |value: &Value| {
        let mut value = value.clone();
        value[HASH] = json!(hash);
        value
    };
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"] = labelled(&template["metadata"]["labels"]);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"] = labelled(&selector["matchLabels"]);
    let mut annotations = json!({ REVISION: (next_revision(olds)).to_string() });
    if let Some(cause) = deployment["metadata"]["annotations"].get("kubernetes.io/change-cause") {
        annotations["kubernetes.io/change-cause"] = cause.clone();
    }
    let set = json!({
        "metadata": {
            "name": name,
            "namespace": meta(deployment, "namespace"),
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [owned_by(&kinds::DEPLOYMENTS, deployment)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": number(deployment, "/spec/minReadySeconds").unwrap_or(0),
            "selector": selector,
            "template": template,
        },
        "status": { "replicas": 0 },
    });
    match store.create(&kinds::REPLICA_SETS, set) {
        Ok(set) => Some(set),
        Err(status) => {
            let message = format!("Failed to create new replica set \"{name}\": {status}");
            SOURCE.warning(store, &kinds::DEPLOYMENTS, deployment, "ReplicaSetCreateError", &message);
            None
        }
    }
}

fn next_revision(olds: &[Arc<Value>]) -> i64 {
    olds.iter().map(|old| revision(old)).max().unwrap_or(0) + 1
}

/// A template that was used before becomes the newest again.
fn renumber(store: &Store, set: Arc<Value>, olds: &[Arc<Value>]) -> Arc<Value> {
    let newest = next_revision(olds);
    if revision(&set) >= newest {
        return set;
    }
    let renumbered = store.update(&Key::of(&kinds::REPLICA_SETS, &set), |set| {
        set["metadata"]["annotations"][REVISION] = json!(newest.to_string());
        Ok(())
    });
    renumbered.unwrap_or(set)
}

/// The Deployment says which revision it is at.
fn annotate(store: &Store, key: &Key, news: Option<&Value>) {
    let Some(news) = news else { return };
    let _ = store.update(key, |deployment| {
        let annotations = &mut deployment["metadata"]["annotations"];
        if !annotations.is_object() {
            *annotations = json!({});
        }
        annotations[REVISION] = json!(revision(news).to_string());
        Ok(())
    });
}

fn scale(store: &Store, deployment: &Value, set: &Arc<Value>, wanted: i64) -> Arc<Value> {
    let before = replicas(set);
    let bounds = Bounds::of(&deployment["spec"]["strategy"]["rollingUpdate"], self::wanted(deployment));
    let scaled = store.update(&Key::of(&kinds::REPLICA_SETS, set), |set| {
        set["spec"]["replicas"] = json!(wanted);
        let annotations = &mut set["metadata"]["annotations"];
        annotations["deployment.kubernetes.io/desired-replicas"] =
            json!(self::wanted(deployment).to_string());
        annotations["deployment.kubernetes.io/max-replicas"] =
            json!((self::wanted(deployment) + bounds.surge).to_string());
        Ok(())
    });
    if before != wanted && scaled.is_ok() {
        let way = if wanted > before { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {} from {before} to {wanted}", meta(set, "name"));
        SOURCE.normal(store, &kinds::DEPLOYMENTS, deployment, "ScalingReplicaSet", &message);
    }
    scaled.unwrap_or_else(|_| Arc::clone(set))
}

/// Old sets beyond the history's limit go, once they are empty and the rollout is over.
fn forget(store: &Store, deployment: &Value, news: Option<&Value>, olds: &[Arc<Value>]) {
    let settled = news.is_some_and(|news| available(news) >= wanted(deployment));
    let empty = |set: &&Arc<Value>| replicas(set) == 0 && number(set, "/status/replicas").unwrap_or(0) == 0;
    if !settled {
        return;
    }
    let limit = number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10);
    let empty: Vec<&Arc<Value>> = olds.iter().filter(empty).collect();
    let beyond = empty.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for set in &empty[..beyond] {
        let _ = store.delete(&Key::of(&kinds::REPLICA_SETS, set), &DeleteOptions::default());
    }
}
