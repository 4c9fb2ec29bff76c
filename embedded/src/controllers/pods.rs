//! Pods as controllers make them and judge them.

use serde_json::{Value, json};

use crate::object::{holds, is_leaving, meta, owned_by, time};
use crate::store::Kind;

/// A pod from the template in `spec.template` of its owner.
pub(super) fn from_template(kind: &'static Kind, owner: &Value) -> Value {
    let template = &owner["spec"]["template"];
    let mut pod = json!({
        "metadata": {
            "generateName": format!("{}-", meta(owner, "name")),
            "namespace": meta(owner, "namespace"),
            "ownerReferences": [owned_by(kind, owner)],
        },
        "spec": template["spec"],
        "status": { "phase": "Pending", "qosClass": qos_class(&template["spec"]) },
    });
    for field in ["labels", "annotations"] {
        if template["metadata"][field].is_object() {
            pod["metadata"][field] = template["metadata"][field].clone();
        }
    }
    let spec = &mut pod["spec"];
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("serviceAccountName", json!("default")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("enableServiceLinks", json!(true)),
    ] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
    pod
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by what the containers ask for.
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let given =
        |container: &Value, what: &str, resource: &str| !container["resources"][what][resource].is_null();
    let any = |container: &Value| {
        ["requests", "limits"].iter().any(|what| ["cpu", "memory"].iter().any(|r| given(container, what, r)))
    };
    let full = |container: &Value| {
        ["cpu", "memory"].iter().all(|resource| {
            let limit = &container["resources"]["limits"][resource];
            let request = &container["resources"]["requests"][resource];
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if !containers.iter().any(any) {
        "BestEffort"
    } else if containers.iter().all(full) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Has run to its end.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Counts as one of a controller's pods.
pub(super) fn is_active(pod: &Value) -> bool {
    !has_ended(pod) && !is_leaving(pod)
}

/// Can be used.
pub(super) fn is_ready(pod: &Value) -> bool {
    holds(pod, "Ready")
}

/// For how many seconds it has been ready.
pub(super) fn ready_for(pod: &Value) -> Option<i64> {
    let condition = crate::object::condition(pod, "Ready").filter(|ready| ready["status"] == "True")?;
    let since = time(&condition["lastTransitionTime"])?;
    Some(jiff::Timestamp::now().as_second() - since.as_second())
}

/// Which of two pods goes first when there are too many: one that has no place, one that is not ready,
/// the younger one.
pub(super) fn dispensable(pod: &Value) -> impl Ord + use<> {
    let made = std::cmp::Reverse(meta(pod, "creationTimestamp").to_owned());
    (pod["spec"]["nodeName"].is_string(), is_ready(pod), made, meta(pod, "name").to_owned())
}
