//! What applying would change, by the server's own word.

use futures::future::try_join_all;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;

use super::apply::api_of;
use crate::cluster::{Cluster, FIELD_MANAGER, explain};
use crate::exit::{Error, ExitCode, Result};

/// Asks the server for a dry run of each object; gives a line per object, and below it a line per
/// changed field.
///
/// # Errors
/// Exit code 3 where the permission is missing, else 4.
pub async fn diff(cluster: &Cluster, objects: &[Value]) -> Result<Vec<String>> {
    let lines = try_join_all(objects.iter().map(|object| diff_one(cluster, object))).await?;
    Ok(lines.into_iter().flatten().collect())
}

async fn diff_one(cluster: &Cluster, object: &Value) -> Result<Vec<String>> {
    let (api, kind, name) = api_of(cluster, object);
    let what = format!("{kind} {}/{name}", cluster.namespace);
    let found = api.get_opt(&name).await.map_err(|error| explain(&what, &error))?;
    let Some(found) = found else { return Ok(vec![format!("+ {kind}/{name}")]) };
    let wanted: DynamicObject = serde_json::from_value(super::apply::placed(cluster, object))
        .map_err(|error| Error::new(ExitCode::Bug, format!("manifest of {kind} {name}: {error}")))?;
    let params = PatchParams::apply(FIELD_MANAGER).force().dry_run();
    let after = api.patch(&name, &params, &Patch::Apply(&wanted)).await;
    let after = after.map_err(|error| explain(&format!("dry run of {what}"), &error))?;
    let mut lines = Vec::new();
    compare("", &plain(&found), &plain(&after), &mut lines);
    lines.insert(0, if lines.is_empty() { format!("= {kind}/{name}") } else { format!("~ {kind}/{name}") });
    Ok(lines)
}

/// The object without what the server writes by itself.
fn plain(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for own in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.remove(own);
        }
    }
    value
}

/// Lists the places where two values differ.
fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<_> =
                old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let none = Value::Null;
                compare(
                    &format!("{path}.{key}"),
                    old.get(key).unwrap_or(&none),
                    new.get(key).unwrap_or(&none),
                    lines,
                );
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{at}]"), old, new, lines);
            }
        }
        _ if old == new => {}
        _ => lines.push(format!("    {}: {} → {}", path.trim_start_matches('.'), short(old), short(new))),
    }
}

/// A value on one line, cut where it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_named_by_its_place() {
        let mut lines = Vec::new();
        let old = json!({ "spec": { "replicas": 1, "a": [{ "image": "x:1" }] }, "same": true });
        let new = json!({ "spec": { "replicas": 2, "a": [{ "image": "x:2" }] }, "same": true, "new": null });
        compare("", &old, &new, &mut lines);
        assert_eq!(lines, [r#"    spec.a[0].image: "x:1" → "x:2""#, "    spec.replicas: 1 → 2"]);
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(short(&json!("ä".repeat(100))).chars().count(), 81);
    }
}
