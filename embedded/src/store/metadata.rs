//! The part of an object that the store itself writes.

use serde_json::{Map, Value, json};

use crate::kinds::Kind;

/// The metadata as a map. Added if it is missing.
pub(super) fn of(object: &mut Value) -> &mut Map<String, Value> {
    as_map(as_map(object).entry("metadata").or_insert(Value::Null))
}

/// The value as a map. A value of another type is replaced by an empty map.
fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().unwrap_or_else(|| unreachable!("made a map just above"))
}

/// A text field of the metadata. Empty if it is missing.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether the object is being deleted.
pub(super) fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

/// Five random characters for the end of a generated name. No vowels, so that they form no words, and no
/// characters that look alike.
pub(super) fn random_suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let random = uuid::Uuid::new_v4();
    random.as_bytes()[..5]
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}

/// Whether two states of an object differ in a field whose changes the generation counts.
pub(super) fn changes_generation(kind: &Kind, a: &Value, b: &Value) -> bool {
    kind.generation_fields.iter().any(|field| a[field] != b[field])
}
