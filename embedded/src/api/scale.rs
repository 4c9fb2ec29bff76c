//! The `scale` subresource.

use axum::response::Response;
use serde_json::{Value, json};

use super::answer::json_answer;
use super::call::Call;
use super::managers::{self, Manager};
use super::write::change;
use crate::status::Status;
use crate::store::{Key, Kind};

/// The scale of an object.
pub(super) fn of(kind: &Kind, object: &Value) -> Value {
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

/// Replaces the scale.
pub(super) fn replace(call: &Call<'_>, key: &Key, wanted: &Value) -> Result<Response, Status> {
    let manager = call.manager(false)?;
    let changed = change(call, key, |before| put(call, before, wanted, &manager))?;
    Ok(json_answer(200, &of(call.kind, &changed)))
}

/// The object with the replicas that a scale asks for.
pub(super) fn put(
    call: &Call<'_>,
    before: &Value,
    wanted: &Value,
    manager: &Manager,
) -> Result<Value, Status> {
    let seen = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    if !seen.is_empty() && before["metadata"]["resourceVersion"] != seen {
        return Err(Status::modified(call.kind, name));
    }
    let replicas = replicas(wanted)?;
    let mut after = before.clone();
    after["spec"]["replicas"] = json!(replicas);
    managers::track(call.kind, before, &mut after, manager);
    Ok(after)
}

/// The replicas that a scale asks for.
pub(super) fn replicas(scale: &Value) -> Result<i32, Status> {
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
            Err(Status::new(422, "Invalid", message))
        }
        None => Err(Status::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas: {value} is no number of replicas"
        ))),
    }
}
