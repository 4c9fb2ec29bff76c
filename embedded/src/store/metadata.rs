//! The part of an object that the store itself writes.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The time in the form of Kubernetes: seconds, UTC.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The metadata, which is made if it is not there.
pub(super) fn of(object: &mut Value) -> &mut Map<String, Value> {
    object_at(object_at(object).entry("metadata").or_insert(Value::Null))
}

/// The value as an object, which it becomes if it is not one.
fn object_at(value: &mut Value) -> &mut Map<String, Value> {
    static NEVER: &str = "made an object just above";
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().unwrap_or_else(|| unreachable!("{NEVER}"))
}

pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

pub(super) fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

/// Five letters or digits that cannot be taken for a word or for each other.
pub(super) fn suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let random = uuid::Uuid::new_v4();
    random.as_bytes()[..5]
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}

/// Everything but metadata and status: what a generation counts changes of.
pub(super) fn differs_in_spec(kind: &super::Kind, a: &Value, b: &Value) -> bool {
    // A slice has no spec; all of it is what somebody wants.
    let fields: &[&str] = if kind.kind == "EndpointSlice" { &["endpoints", "ports"] } else { &["spec"] };
    fields.iter().any(|field| a[field] != b[field])
}
