//! Pods that controllers create from templates.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::kinds::{self, Kind};
use crate::object::events::Recorder;
use crate::object::metadata::meta;
use crate::object::new_pods;
use crate::object::owners::controller_reference;
use crate::object::pods::{fill_defaults, is_ready, is_scheduled};
use crate::refusal::Refusal;
use crate::store::Store;

/// Largest number of pods that a controller creates before it looks at the cluster again, as in Kubernetes.
pub(super) const BURST: usize = 500;

/// Creates a pod from the template of its owner, and records that as an event of the owner.
pub(super) fn create(
    store: &Store,
    events: Recorder,
    kind: &'static Kind,
    owner: &Value,
) -> Result<Arc<Value>, Refusal> {
    let created = admit(store, from_template(kind, owner));
    match &created {
        Ok(pod) => {
            let message = format!("Created pod: {}", meta(pod, "name"));
            events.normal(store, kind, owner, "SuccessfulCreate", &message);
        }
        Err(refusal) => {
            events.warning(
                store,
                kind,
                owner,
                "FailedCreate",
                &format!("Error creating: {}", refusal.message),
            );
        }
    }
    created
}

/// Creates the pod with this number from the template of a StatefulSet, and records that as an event of the set.
pub(super) fn create_numbered(
    store: &Store,
    events: Recorder,
    set: &Value,
    number: usize,
    labels: &[(&str, String)],
) -> Result<Arc<Value>, Refusal> {
    let kind = &kinds::STATEFUL_SETS;
    let mut pod = from_template(kind, set);
    let name = format!("{}-{number}", meta(set, "name"));
    if let Value::Object(metadata) = &mut pod["metadata"] {
        metadata.remove("generateName");
    }
    pod["metadata"]["name"] = json!(name);
    pod["spec"]["hostname"] = json!(name);
    if set["spec"]["serviceName"].as_str().is_some_and(|name| !name.is_empty()) {
        pod["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
    }
    for (label, value) in labels {
        pod["metadata"]["labels"][*label] = json!(value);
    }
    let created = admit(store, pod);
    let done = format!("create Pod {name} in StatefulSet {}", meta(set, "name"));
    match &created {
        Ok(_) => events.normal(store, kind, set, "SuccessfulCreate", &format!("{done} successful")),
        Err(refusal) => {
            let message = format!("{done} failed error: {}", refusal.message);
            events.warning(store, kind, set, "FailedCreate", &message);
        }
    }
    created
}

fn admit(store: &Store, pod: Value) -> Result<Arc<Value>, Refusal> {
    new_pods::check(store, &pod).and_then(|()| store.create(&kinds::PODS, pod))
}

/// A new pod from the template in `spec.template` of its owner. The template already has the defaults that
/// the API server gives to templates.
fn from_template(kind: &'static Kind, owner: &Value) -> Value {
    let template = &owner["spec"]["template"];
    let mut pod = json!({
        "metadata": {
            "generateName": format!("{}-", meta(owner, "name")),
            "namespace": meta(owner, "namespace"),
            "ownerReferences": [controller_reference(kind, owner)],
        },
        "spec": template["spec"],
        "status": { "phase": "Pending", "qosClass": qos_class(&template["spec"]) },
    });
    for field in ["labels", "annotations"] {
        if template["metadata"][field].is_object() {
            pod["metadata"][field] = template["metadata"][field].clone();
        }
    }
    fill_defaults(&mut pod["spec"]);
    pod
}

/// The QoS class that follows from the containers' requests and limits.
fn qos_class(spec: &Value) -> &'static str {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sets =
        |container: &Value, field: &str, resource: &str| !container["resources"][field][resource].is_null();
    let sets_any = |container: &Value| {
        ["requests", "limits"].iter().any(|field| ["cpu", "memory"].iter().any(|r| sets(container, field, r)))
    };
    let is_guaranteed = |container: &Value| {
        ["cpu", "memory"].iter().all(|resource| {
            let limit = &container["resources"]["limits"][resource];
            let request = &container["resources"]["requests"][resource];
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if !containers.iter().any(sets_any) {
        "BestEffort"
    } else if containers.iter().all(is_guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// The order in which a ReplicaSet deletes surplus pods: unscheduled pods first, then pods that are not
/// ready, then the youngest.
pub(super) fn deletion_order(pod: &Value) -> impl Ord + use<> {
    let created = std::cmp::Reverse(meta(pod, "creationTimestamp").to_owned());
    (is_scheduled(pod), is_ready(pod), created, meta(pod, "name").to_owned())
}
