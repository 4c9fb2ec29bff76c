//! How lists and maps are merged. Kubernetes declares this in its schemas; here it follows from field names.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeRule {
    /// The list is one value.
    Atomic,
    /// The list is a set of simple values.
    Set,
    /// Items are merged one by one. These fields identify an item.
    Keyed(&'static [&'static str]),
}

/// The fields that identify the items of a list, if they follow from the list's name alone. They do for all
/// lists of the known kinds except `ports`.
pub(crate) fn key_fields(field: &str) -> Option<&'static [&'static str]> {
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

/// How the list in this field is merged.
pub(crate) fn merge_rule(field: &str, items: &[Value]) -> MergeRule {
    if let Some(keys) = key_fields(field) {
        return MergeRule::Keyed(keys);
    }
    match field {
        "finalizers" => MergeRule::Set,
        "ports" if items.iter().any(|item| !item["containerPort"].is_null()) => {
            MergeRule::Keyed(&["containerPort", "protocol"])
        }
        "ports" if items.iter().all(|item| item["port"].is_number()) => {
            MergeRule::Keyed(&["port", "protocol"])
        }
        _ => MergeRule::Atomic,
    }
}

/// Whether the map in this field is one value.
pub(crate) fn is_atomic(field: &str) -> bool {
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

/// The identity of an item: a map of its key fields. `None` if it has none.
pub(crate) fn identity(item: &Value, keys: &[&str]) -> Option<Map<String, Value>> {
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

/// The identities of all items. Refuses an item without an identity, and two items with the same identity.
pub(crate) fn identities(
    field: &str,
    items: &[Value],
    keys: &[&str],
) -> Result<Vec<Map<String, Value>>, Refusal> {
    let mut all: Vec<Map<String, Value>> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Some(item_identity) = identity(item, keys) else {
            let message = format!(
                "failed to create typed patch object: {field}: element {i}: associative list with keys has an element that omits key field \"{}\" (and doesn't have default value)",
                keys.join(", ")
            );
            return Err(Refusal::bad_request(message));
        };
        if all.contains(&item_identity) {
            let key = Value::Object(item_identity);
            let message =
                format!("failed to create typed patch object: {field}: duplicate entries for key {key}");
            return Err(Refusal::bad_request(message));
        }
        all.push(item_identity);
    }
    Ok(all)
}
