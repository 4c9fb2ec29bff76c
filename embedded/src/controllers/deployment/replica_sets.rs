//! The ReplicaSets of a Deployment: one for each version of the pod template.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde_json::{Value, json};

use super::counts::{REVISION, available, desired, revision};
use super::rollout::Limits;
use crate::kinds;
use crate::object::events::Recorder;
use crate::object::metadata::{meta, number};
use crate::object::owners::{controller_reference, is_controlled_by};
use crate::object::pods::has_ended;
use crate::store::{DeleteOptions, Key, Store};

const EVENTS: Recorder = Recorder("deployment-controller");
/// The label that keeps the pods of different ReplicaSets apart.
const HASH: &str = "pod-template-hash";

/// Whether any pod of the set has not ended yet.
pub(super) fn has_pods(store: &Store, set: &Value) -> bool {
    let (pods, _) = store.list(&kinds::PODS, Some(meta(set, "namespace")));
    pods.iter().any(|pod| is_controlled_by(pod, set) && !has_ended(pod))
}

/// Whether the set has the Deployment's template. The hash label is ignored.
pub(super) fn has_template_of(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template == deployment["spec"]["template"]
}

/// Creates the ReplicaSet for the Deployment's template, with 0 replicas. `None` if the store refuses it.
pub(super) fn create(store: &Store, deployment: &Value, old_sets: &[Arc<Value>]) -> Option<Arc<Value>> {
    let mut hasher = DefaultHasher::new();
    deployment["spec"]["template"].to_string().hash(&mut hasher);
    let hash = format!("{:09x}", hasher.finish() & 0xf_ffff_ffff);
    let name = format!("{}-{hash}", meta(deployment, "name"));
    let with_hash = |labels: &Value| {
        let mut labels = labels.clone();
        labels[HASH] = json!(hash);
        labels
    };
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"] = with_hash(&template["metadata"]["labels"]);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"] = with_hash(&selector["matchLabels"]);
    let mut annotations = json!({ REVISION: next_revision(old_sets).to_string() });
    if let Some(cause) = deployment["metadata"]["annotations"].get("kubernetes.io/change-cause") {
        annotations["kubernetes.io/change-cause"] = cause.clone();
    }
    let set = json!({
        "metadata": {
            "name": name,
            "namespace": meta(deployment, "namespace"),
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [controller_reference(&kinds::DEPLOYMENTS, deployment)],
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
        Err(refusal) => {
            let message = format!("Failed to create new replica set \"{name}\": {refusal}");
            EVENTS.warning(store, &kinds::DEPLOYMENTS, deployment, "ReplicaSetCreateError", &message);
            None
        }
    }
}

fn next_revision(old_sets: &[Arc<Value>]) -> i64 {
    old_sets.iter().map(|set| revision(set)).max().unwrap_or(0) + 1
}

/// Gives the set the newest revision, if an old set has it. This happens when a rollout is undone.
pub(super) fn make_newest(store: &Store, set: Arc<Value>, old_sets: &[Arc<Value>]) -> Arc<Value> {
    let newest = next_revision(old_sets);
    if revision(&set) >= newest {
        return set;
    }
    let updated = store.update(&Key::of(&kinds::REPLICA_SETS, &set), |set| {
        set["metadata"]["annotations"][REVISION] = json!(newest.to_string());
        Ok(())
    });
    updated.unwrap_or(set)
}

/// Writes the revision of the new set into the Deployment's annotations.
pub(super) fn annotate_revision(store: &Store, key: &Key, new_set: Option<&Value>) {
    let Some(new_set) = new_set else { return };
    let _ = store.update(key, |deployment| {
        let annotations = &mut deployment["metadata"]["annotations"];
        if !annotations.is_object() {
            *annotations = json!({});
        }
        annotations[REVISION] = json!(revision(new_set).to_string());
        Ok(())
    });
}

/// Scales a set. Returns the set after the change.
pub(super) fn scale(store: &Store, deployment: &Value, set: &Arc<Value>, replicas: i64) -> Arc<Value> {
    let (before, total) = (desired(set), desired(deployment));
    let limits = Limits::of(&deployment["spec"]["strategy"]["rollingUpdate"], total);
    let scaled = store.update(&Key::of(&kinds::REPLICA_SETS, set), |set| {
        set["spec"]["replicas"] = json!(replicas);
        let annotations = &mut set["metadata"]["annotations"];
        annotations["deployment.kubernetes.io/desired-replicas"] = json!(total.to_string());
        annotations["deployment.kubernetes.io/max-replicas"] = json!((total + limits.surge).to_string());
        Ok(())
    });
    if before != replicas && scaled.is_ok() {
        let direction = if replicas > before { "up" } else { "down" };
        let message =
            format!("Scaled {direction} replica set {} from {before} to {replicas}", meta(set, "name"));
        EVENTS.normal(store, &kinds::DEPLOYMENTS, deployment, "ScalingReplicaSet", &message);
    }
    scaled.unwrap_or_else(|_| Arc::clone(set))
}

/// Deletes empty old sets beyond `revisionHistoryLimit`, once the rollout is complete.
pub(super) fn clean_up(store: &Store, deployment: &Value, new_set: Option<&Value>, old_sets: &[Arc<Value>]) {
    let is_complete = new_set.is_some_and(|set| available(set) >= desired(deployment));
    let is_empty = |set: &&Arc<Value>| desired(set) == 0 && number(set, "/status/replicas").unwrap_or(0) == 0;
    if !is_complete {
        return;
    }
    let limit = number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10);
    let empty: Vec<&Arc<Value>> = old_sets.iter().filter(is_empty).collect();
    let beyond = empty.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for set in &empty[..beyond] {
        let _ = store.delete(&Key::of(&kinds::REPLICA_SETS, set), &DeleteOptions::default());
    }
}
