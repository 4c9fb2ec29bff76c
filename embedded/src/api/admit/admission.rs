//! Admission: everything that happens to an object between the client and the store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{defaults, job_labels, validate};
use crate::kinds::Kind;
use crate::object::new_pods;
use crate::refusal::Refusal;
use crate::store::Store;

/// Fills in the defaults of a new object and refuses it if it is invalid. The controllers of this cluster
/// write into the store without admission, but check their new pods as here.
pub(crate) fn admit(store: &Store, kind: &'static Kind, object: &mut Value) -> Result<(), Refusal> {
    if object["metadata"]["uid"].is_null() {
        object["metadata"]["uid"] = json!(uuid::Uuid::new_v4().to_string());
    }
    if kind.kind == "Pod" {
        new_pods::check(store, object)?;
    }
    complete(kind, object, None)
}

/// Fills in defaults and checks the rules, for a new object or for one that replaces `before`.
pub(crate) fn complete(
    kind: &'static Kind,
    object: &mut Value,
    before: Option<&Value>,
) -> Result<(), Refusal> {
    if let Some(before) = before {
        keep_assigned(kind, object, before);
    }
    if kind.kind == "Secret" {
        encode_strings(object);
    }
    defaults::fill(kind, object);
    drop_nulls(object);
    validate::validate(kind, object, before)
}

/// Keeps the fields that the cluster has assigned if a client omits them, because its manifest does not
/// contain them.
fn keep_assigned(kind: &Kind, object: &mut Value, before: &Value) {
    let fields: &[&str] = match kind.kind {
        "Service" if object["spec"]["type"] != "ExternalName" => &["clusterIP", "clusterIPs"],
        "Pod" => &["nodeName", "serviceAccountName", "serviceAccount"],
        "Job" => &["selector"],
        _ => return,
    };
    for field in fields {
        let old = &before["spec"][*field];
        if object["spec"][*field].is_null() && !old.is_null() {
            object["spec"][*field] = old.clone();
        }
    }
    if kind.kind == "Job" {
        let old = &before["spec"]["template"]["metadata"]["labels"];
        for label in job_labels::ALL {
            if let (Some(value), true) = (old.get(label), object["spec"]["template"].is_object()) {
                object["spec"]["template"]["metadata"]["labels"][label] = value.clone();
            }
        }
    }
}

/// Moves the texts of `stringData` into `data`.
fn encode_strings(secret: &mut Value) {
    let Some(Value::Object(strings)) = secret.as_object_mut().and_then(|map| map.remove("stringData")) else {
        return;
    };
    for (name, text) in strings {
        if secret["data"].is_null() {
            secret["data"] = json!({});
        }
        secret["data"][name] = json!(STANDARD.encode(text.as_str().unwrap_or_default()));
    }
}

/// Removes all fields whose value is null.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
