//! Objects against the types that Kubernetes publishes: wrong types, unknown fields.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::status::Status;
use crate::store::Kind;

/// The object as its type has it, without the fields that the type does not know; and those fields.
pub(super) fn typed(kind: &Kind, mut object: Value) -> Result<(Value, Vec<String>), Status> {
    quantities(&mut object);
    let read = match kind.kind {
        "ConfigMap" => through::<ConfigMap>(&object),
        "CronJob" => through::<CronJob>(&object),
        "Deployment" => through::<Deployment>(&object),
        "EndpointSlice" => through::<EndpointSlice>(&object),
        "Endpoints" => through::<Endpoints>(&object),
        "Event" => through::<Event>(&object),
        "Job" => through::<Job>(&object),
        "Lease" => through::<Lease>(&object),
        "Namespace" => through::<Namespace>(&object),
        "Node" => through::<Node>(&object),
        "Pod" => through::<Pod>(&object),
        "ReplicaSet" => through::<ReplicaSet>(&object),
        "Role" => through::<Role>(&object),
        "RoleBinding" => through::<RoleBinding>(&object),
        "Secret" => through::<Secret>(&object),
        "Service" => through::<Service>(&object),
        "ServiceAccount" => through::<ServiceAccount>(&object),
        other => Err(format!("there is no type {other}")),
    };
    let known = read.map_err(|why| {
        let (kind, version) = (kind.kind, kind.version);
        Status::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    })?;
    let mut unknown = Vec::new();
    lost(&object, &known, "", &mut unknown);
    Ok((known, unknown))
}

fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let read: T = serde_path_to_error::deserialize(object).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) }
    })?;
    serde_json::to_value(read).map_err(|error| error.to_string())
}

/// Fields that were there and are not any more.
fn lost(before: &Value, after: &Value, path: &str, into: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match after.get(name) {
                    Some(after) => lost(value, after, &path, into),
                    None => into.push(path),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (i, (before, after)) in before.iter().zip(after).enumerate() {
                lost(before, after, &format!("{path}[{i}]"), into);
            }
        }
        _ => {}
    }
}

/// `cpu: 1` is a quantity, too; the types know the text form only.
fn quantities(value: &mut Value) {
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
                quantities(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(quantities),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::kinds::DEPLOYMENTS;

    fn deployment(spec: &Value) -> Result<(Value, Vec<String>), Status> {
        typed(
            &DEPLOYMENTS,
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" }, "spec": spec }),
        )
    }

    #[test]
    fn a_wrong_type_is_named_by_its_field() {
        let error = deployment(&json!({ "replicas": "two" })).unwrap_err();
        assert_eq!(error.code, 400);
        assert!(error.message.contains("spec.replicas: invalid type: string \"two\""), "{error}");
    }

    #[test]
    fn unknown_fields_are_found_at_any_depth_and_dropped() {
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
