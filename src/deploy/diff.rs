//! What applying the manifests would change, according to the API server.

use futures::future::try_join_all;
use json_patch::PatchOperation;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;

use super::object::{api_of, in_namespace};
use crate::cluster::{Cluster, FIELD_MANAGER, explain};
use crate::exit::Result;

/// Values longer than this many characters are cut.
const LONGEST_VALUE: usize = 80;

/// Lets the API server apply each object as a dry run. Returns one line per object (`+` new, `~` changed,
/// `=` unchanged), followed by one line per changed field.
///
/// # Errors
/// Exit code 3 if a permission is missing, else 4.
pub async fn diff(cluster: &Cluster, objects: &[Value]) -> Result<Vec<String>> {
    let lines = try_join_all(objects.iter().map(|object| diff_one(cluster, object))).await?;
    Ok(lines.into_iter().flatten().collect())
}

async fn diff_one(cluster: &Cluster, object: &Value) -> Result<Vec<String>> {
    let (api, kind, name) = api_of(cluster, object);
    let subject = format!("{kind} {}/{name}", cluster.namespace);
    let existing = api.get_opt(&name).await.map_err(|error| explain(&subject, &error))?;
    let Some(existing) = existing else { return Ok(vec![format!("+ {kind}/{name}")]) };
    let object = in_namespace(cluster, object)?;
    let applied =
        api.patch(&name, &PatchParams::apply(FIELD_MANAGER).force().dry_run(), &Patch::Apply(&object)).await;
    let applied = applied.map_err(|error| explain(&format!("dry run of {subject}"), &error))?;
    let mut lines = changed_fields(&without_server_fields(&existing), &without_server_fields(&applied));
    lines.insert(0, if lines.is_empty() { format!("= {kind}/{name}") } else { format!("~ {kind}/{name}") });
    Ok(lines)
}

/// The object without the fields that the server sets by itself.
fn without_server_fields(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.remove(field);
        }
    }
    value
}

/// One line per field that differs, such as `    spec.replicas: 1 → 2`.
fn changed_fields(old: &Value, new: &Value) -> Vec<String> {
    // The paths of a JSON patch hold for the document after the operations before.
    let mut current = old.clone();
    let mut lines = Vec::new();
    for operation in json_patch::diff(old, new).0 {
        let path = operation.path().to_owned();
        let before = current.pointer(path.as_str()).map(shortened);
        let after = match &operation {
            PatchOperation::Add(add) => Some(shortened(&add.value)),
            PatchOperation::Replace(replace) => Some(shortened(&replace.value)),
            _ => None,
        };
        let text = |value: Option<String>| value.unwrap_or_else(|| "(unset)".to_owned());
        let field: String = path.tokens().map(|token| path_step(&token.decoded())).collect();
        lines.push(format!("    {}: {} → {}", field.trim_start_matches('.'), text(before), text(after)));
        if json_patch::patch(&mut current, std::slice::from_ref(&operation)).is_err() {
            break;
        }
    }
    lines
}

/// A step of a path as people write it: `.name` for a field, `[0]` for an item.
fn path_step(token: &str) -> String {
    if token.bytes().all(|byte| byte.is_ascii_digit()) { format!("[{token}]") } else { format!(".{token}") }
}

/// A value on one line, cut if it is long.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_changed_field_is_shown_with_its_path_and_both_values() {
        let old = json!({ "spec": { "replicas": 1, "a": [{ "image": "x:1" }] }, "same": true });
        let new = json!({ "spec": { "replicas": 2, "a": [{ "image": "x:2" }] }, "same": true });
        assert_eq!(
            changed_fields(&old, &new),
            [r#"    spec.a[0].image: "x:1" → "x:2""#, "    spec.replicas: 1 → 2"]
        );
        assert!(changed_fields(&old, &old).is_empty());
    }

    #[test]
    fn fields_and_items_that_come_or_go_are_shown_as_unset() {
        let old = json!({ "annotations": { "a/b": "old" }, "args": ["x", "y", "z"] });
        let new = json!({ "annotations": {}, "args": ["x"], "env": [] });
        let mut lines = changed_fields(&old, &new);
        lines.sort();
        assert_eq!(
            lines,
            [
                r#"    annotations.a/b: "old" → (unset)"#,
                r#"    args[1]: "y" → (unset)"#,
                r#"    args[1]: "z" → (unset)"#,
                "    env: (unset) → []",
            ]
        );
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(shortened(&json!("ä".repeat(100))).chars().count(), LONGEST_VALUE + 1);
    }
}
