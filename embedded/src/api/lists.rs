//! Which lists are maps in disguise, and which maps are one value.

use serde_json::{Map, Value};

use crate::status::Status;

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// As one value.
    Atomic,
    /// As a set of plain values.
    Set,
    /// Item by item: these fields say which is which.
    Keyed(&'static [&'static str]),
}

/// The fields by which the items of a list are known, where its name alone says so: enough for the kinds that
/// there are, but for the ports of a container and those of a Service.
pub(super) fn keys(field: &str) -> Option<&'static [&'static str]> {
    Some(match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid"],
        "hostAliases" | "podIPs" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        _ => return None,
    })
}

/// How the list in a field is merged.
pub(super) fn list(field: &str, items: &[Value]) -> List {
    if let Some(keys) = keys(field) {
        return List::Keyed(keys);
    }
    match field {
        "finalizers" => List::Set,
        "ports" if items.iter().any(|item| !item["containerPort"].is_null()) => {
            List::Keyed(&["containerPort", "protocol"])
        }
        "ports" if items.iter().all(|item| item["port"].is_number()) => List::Keyed(&["port", "protocol"]),
        _ => List::Atomic,
    }
}

/// Whether the map in a field is one value.
pub(super) fn is_atomic(field: &str) -> bool {
    matches!(
        field,
        "selector"
            | "labelSelector"
            | "namespaceSelector"
            | "nodeSelector"
            | "fieldRef"
            | "resourceFieldRef"
            | "configMapKeyRef"
            | "secretKeyRef"
            | "secretRef"
            | "roleRef"
            | "involvedObject"
            | "targetRef"
    )
}

/// The identity of an item, as a map of its key fields.
pub(super) fn identity(item: &Value, keys: &[&str]) -> Option<Map<String, Value>> {
    keys.iter()
        .map(|key| {
            let value = match &item[*key] {
                Value::Null if *key == "protocol" => Value::from("TCP"),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
                value => value.clone(),
            };
            Some(((*key).to_owned(), value))
        })
        .collect()
}

/// The identities of all items. Refuses a list with an item that has none, or two that share one.
pub(super) fn identities(
    field: &str,
    items: &[Value],
    keys: &[&str],
) -> Result<Vec<Map<String, Value>>, Status> {
    let mut all: Vec<Map<String, Value>> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Some(found) = identity(item, keys) else {
            let message = format!(
                "failed to create typed patch object: {field}: element {i}: associative list with keys has an element that omits key field \"{}\" (and doesn't have default value)",
                keys.join(", ")
            );
            return Err(Status::bad_request(message));
        };
        if all.contains(&found) {
            let shown = Value::Object(found);
            let message =
                format!("failed to create typed patch object: {field}: duplicate entries for key {shown}");
            return Err(Status::bad_request(message));
        }
        all.push(found);
    }
    Ok(all)
}
