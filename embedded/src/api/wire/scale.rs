//! The `Scale` object, which represents the replicas of a Deployment, a ReplicaSet or a StatefulSet.

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::refusal::Refusal;

/// The `Scale` of an object.
pub(crate) fn of(kind: &Kind, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let selector: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    let status = &object["status"];
    debug_assert!(kind.subresources.contains(&"scale"));
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
            "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": { "replicas": object["spec"]["replicas"].as_i64().unwrap_or_default() },
        "status": {
            "replicas": status["replicas"].as_i64().unwrap_or_default(),
            "selector": selector.join(","),
        },
    })
}

/// The replicas that a `Scale` from a client asks for.
pub(crate) fn replicas(scale: &Value) -> Result<i32, Refusal> {
    let value = &scale["spec"]["replicas"];
    let replicas = if value.is_null() {
        Some(0)
    } else {
        value.as_i64().and_then(|replicas| i32::try_from(replicas).ok())
    };
    match replicas {
        Some(replicas @ 0..) => Ok(replicas),
        Some(_) => {
            let name = scale["metadata"]["name"].as_str().unwrap_or_default();
            let message = format!(
                "Scale.autoscaling \"{name}\" is invalid: spec.replicas: Invalid value: {value}: must be greater than or equal to 0"
            );
            Err(Refusal::new(422, "Invalid", message))
        }
        None => Err(Refusal::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas: {value} is not a number of replicas"
        ))),
    }
}
