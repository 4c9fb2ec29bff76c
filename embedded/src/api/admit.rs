//! Everything between what a client wrote and what is kept: defaults, rules, and what only a look at other
//! objects can tell.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{defaults, validate};
use crate::status::Status;
use crate::store::{Key, Kind, Store, kinds};

/// Fills in the defaults of a new object and checks it, as the API server does with every new object. For
/// controllers, which write to the store without asking the API server.
pub fn admit(store: &Store, kind: &'static Kind, object: &mut Value) -> Result<(), Status> {
    if object["metadata"]["uid"].is_null() {
        object["metadata"]["uid"] = json!(uuid::Uuid::new_v4().to_string());
    }
    check_account(store, kind, object)?;
    complete(kind, object, None)
}

/// Defaults and rules for a new object, or for one that is changed.
pub(super) fn complete(
    kind: &'static Kind,
    object: &mut Value,
    before: Option<&Value>,
) -> Result<(), Status> {
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

/// A pod runs under an account that exists; `default` exists everywhere without an object.
fn check_account(store: &Store, kind: &Kind, object: &Value) -> Result<(), Status> {
    let account = object["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let key = Key::new(&kinds::SERVICE_ACCOUNTS, namespace, account);
    if kind.kind != "Pod" || account == "default" || store.get(&key).is_some() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let message = format!(
        "pods \"{name}\" is forbidden: error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
    );
    Err(Status::new(403, "Forbidden", message))
}

/// A client that writes back an older manifest does not take away what the cluster has assigned.
fn keep_assigned(kind: &Kind, object: &mut Value, before: &Value) {
    let fields: &[&str] = match kind.kind {
        "Service" if object["spec"]["type"] != "ExternalName" => &["clusterIP", "clusterIPs"],
        "Pod" => &["nodeName", "serviceAccountName", "serviceAccount"],
        "Job" => &["selector"],
        _ => return,
    };
    for field in fields {
        let was = &before["spec"][*field];
        if object["spec"][*field].is_null() && !was.is_null() {
            object["spec"][*field] = was.clone();
        }
    }
    if kind.kind == "Job" {
        let was = &before["spec"]["template"]["metadata"]["labels"];
        let made = [
            "batch.kubernetes.io/controller-uid",
            "batch.kubernetes.io/job-name",
            "controller-uid",
            "job-name",
        ];
        for label in made {
            if let (Some(value), true) = (was.get(label), object["spec"]["template"].is_object()) {
                object["spec"]["template"]["metadata"]["labels"][label] = value.clone();
            }
        }
    }
}

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

/// A field that says nothing is not kept.
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
