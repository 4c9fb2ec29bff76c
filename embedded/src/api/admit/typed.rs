//! Checks objects against the types of the Kubernetes API.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kinds::Kind;
use crate::refusal::Refusal;

/// Returns the object without the fields that its type does not have, and the paths of those fields. Refuses
/// an object with a field of the wrong type.
pub(crate) fn typed(kind: &Kind, mut object: Value) -> Result<(Value, Vec<String>), Refusal> {
    quantities_as_texts(&mut object);
    let read = match kind.kind {
        "ConfigMap" => round_trip::<ConfigMap>(&object),
        "CronJob" => round_trip::<CronJob>(&object),
        "Deployment" => round_trip::<Deployment>(&object),
        "EndpointSlice" => round_trip::<EndpointSlice>(&object),
        "Event" => round_trip::<Event>(&object),
        "HorizontalPodAutoscaler" => round_trip::<HorizontalPodAutoscaler>(&object),
        "Job" => round_trip::<Job>(&object),
        "Lease" => round_trip::<Lease>(&object),
        "Namespace" => round_trip::<Namespace>(&object),
        "Node" => round_trip::<Node>(&object),
        "Pod" => round_trip::<Pod>(&object),
        "ReplicaSet" => round_trip::<ReplicaSet>(&object),
        "Role" => round_trip::<Role>(&object),
        "RoleBinding" => round_trip::<RoleBinding>(&object),
        "Secret" => round_trip::<Secret>(&object),
        "Service" => round_trip::<Service>(&object),
        "ServiceAccount" => round_trip::<ServiceAccount>(&object),
        "StatefulSet" => round_trip::<StatefulSet>(&object),
        other => Err(format!("this cluster has no type {other}")),
    };
    let known = read.map_err(|why| {
        let (kind, version) = (kind.kind, kind.version);
        Refusal::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    })?;
    let mut unknown = Vec::new();
    find_lost_fields(&object, &known, "", &mut unknown);
    Ok((known, unknown))
}

/// Reads the object as its type, and writes it back.
fn round_trip<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let read: T = serde_path_to_error::deserialize(object).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) }
    })?;
    serde_json::to_value(read).map_err(|error| error.to_string())
}

/// Finds the fields that `before` has and `after` has not.
fn find_lost_fields(before: &Value, after: &Value, path: &str, into: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match after.get(name) {
                    Some(after) => find_lost_fields(value, after, &path, into),
                    None => into.push(path),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (i, (before, after)) in before.iter().zip(after).enumerate() {
                find_lost_fields(before, after, &format!("{path}[{i}]"), into);
            }
        }
        _ => {}
    }
}

/// Turns numbers into texts where a quantity is expected, such as `cpu: 1`. The types accept only texts.
fn quantities_as_texts(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let amounts = matches!(name.as_str(), "limits" | "requests" | "capacity" | "allocatable");
                if let (true, Value::Object(amounts)) = (amounts, &mut *value) {
                    for amount in amounts.values_mut().filter(|amount| amount.is_number()) {
                        *amount = Value::String(amount.to_string());
                    }
                }
                if name == "sizeLimit" && value.is_number() {
                    *value = Value::String(value.to_string());
                }
                quantities_as_texts(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(quantities_as_texts),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::DEPLOYMENTS;

    fn deployment(spec: &Value) -> Result<(Value, Vec<String>), Refusal> {
        typed(
            &DEPLOYMENTS,
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" }, "spec": spec }),
        )
    }

    #[test]
    fn the_error_names_the_field_with_the_wrong_type() {
        let error = deployment(&json!({ "replicas": "two" })).unwrap_err();
        assert_eq!(error.code, 400);
        assert!(error.message.contains("spec.replicas: invalid type: string \"two\""), "{error}");
    }

    #[test]
    fn unknown_fields_are_reported_and_removed_at_any_depth() {
        let spec = json!({
            "replcas": 2, "paused": null,
            "template": { "spec": { "containers": [{ "name": "a", "imag": "b", "resources": { "limits": { "cpu": 1 } } }] } },
        });
        let (object, unknown) = deployment(&spec).unwrap();
        assert_eq!(unknown, ["spec.replcas", "spec.template.spec.containers[0].imag"]);
        assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"], "1");
        assert!(object["spec"].get("replcas").is_none());
    }
}
