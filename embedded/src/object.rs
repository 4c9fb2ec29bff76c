//! Reading and writing the parts of objects that controllers share: owners, labels, conditions.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::{Key, Kind, Store, now};

/// A text of the metadata; empty where it is not there.
pub(crate) fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether the object is on its way out.
pub(crate) fn is_leaving(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// A number at a JSON pointer.
pub(crate) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// A time of Kubernetes, such as `2026-11-22T06:00:00Z`.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// The uid of the object that controls this one.
pub(crate) fn controller_uid(object: &Value) -> Option<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == json!(true))?["uid"].as_str()
}

/// The key of the object that controls this one, if it is of this kind.
pub(crate) fn controller_key(object: &Value, kind: &'static Kind) -> Option<Key> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == json!(true))?;
    (owner["kind"] == kind.kind)
        .then(|| Key::new(kind, meta(object, "namespace"), owner["name"].as_str().unwrap_or_default()))
}

/// The reference from something made for `owner`.
pub(crate) fn owned_by(kind: &'static Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "name": meta(owner, "name"),
        "uid": meta(owner, "uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Whether labels satisfy a `LabelSelector`. An empty one selects everything.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let all_equal = equal.into_iter().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    all_equal && expressions.into_iter().all(|expression| satisfies(expression, labels))
}

fn satisfies(expression: &Value, labels: &Value) -> bool {
    let label = labels.get(expression["key"].as_str().unwrap_or_default());
    let among =
        || expression["values"].as_array().is_some_and(|values| values.iter().any(|v| Some(v) == label));
    match expression["operator"].as_str() {
        Some("In") => among(),
        Some("NotIn") => !among(),
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => false,
    }
}

/// Whether labels have every pair of a Service's selector; an empty one selects nothing.
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    let pairs = selector.as_object().filter(|pairs| !pairs.is_empty());
    pairs.is_some_and(|pairs| pairs.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

/// What `owner` controls. Objects without a controller that its selector fits are adopted.
pub(crate) fn claimed(
    store: &Store,
    kind: &'static Kind,
    owner_kind: &'static Kind,
    owner: &Value,
) -> Vec<Arc<Value>> {
    let (namespace, uid) = (meta(owner, "namespace"), meta(owner, "uid"));
    let (objects, _) = store.list(kind, Some(namespace));
    let mut claimed = Vec::new();
    for object in objects {
        if controller_uid(&object) == Some(uid) {
            claimed.push(object);
        } else if controller_uid(&object).is_none()
            && !is_leaving(owner)
            && !is_leaving(&object)
            && owner["spec"]["selector"].is_object()
            && selects(&owner["spec"]["selector"], &object["metadata"]["labels"])
        {
            let adopted = store.update(&Key::of(kind, &object), |object| {
                let owners = &mut object["metadata"]["ownerReferences"];
                if !owners.is_array() {
                    *owners = json!([]);
                }
                if let Some(owners) = owners.as_array_mut() {
                    owners.push(owned_by(owner_kind, owner));
                }
                Ok(())
            });
            claimed.extend(adopted.ok());
        }
    }
    claimed
}

/// Sets a condition. Its time of transition stays while its status does.
pub(crate) fn set_condition(conditions: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    let mut condition = json!({ "type": kind, "status": status, "lastTransitionTime": now() });
    for (field, text) in [("reason", reason), ("message", message)] {
        if !text.is_empty() {
            condition[field] = json!(text);
        }
    }
    match list.iter_mut().find(|condition| condition["type"] == kind) {
        Some(present) => {
            if present["status"] == status {
                condition["lastTransitionTime"] = present["lastTransitionTime"].clone();
            }
            for field in ["lastProbeTime", "lastUpdateTime", "observedGeneration"] {
                if let Some(value) = present.get(field) {
                    condition[field] = value.clone();
                }
            }
            *present = condition;
        }
        None => list.push(condition),
    }
}

/// A condition, where there is one of this type.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether a condition of this type holds.
pub(crate) fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_wants_all_of_its_pairs_and_expressions() {
        let labels = json!({ "app": "a", "role": "b" });
        assert!(selects(&json!({ "matchLabels": { "app": "a" } }), &labels));
        assert!(!selects(&json!({ "matchLabels": { "app": "a", "x": "y" } }), &labels));
        let expression = |operator: &str| json!({ "matchExpressions": [{ "key": "app", "operator": operator, "values": ["a"] }] });
        assert!(selects(&expression("In"), &labels) && selects(&expression("Exists"), &labels));
        assert!(!selects(&expression("NotIn"), &labels) && !selects(&expression("DoesNotExist"), &labels));
        assert!(matches(&json!({ "app": "a" }), &labels));
        assert!(!matches(&json!({}), &labels), "a Service without a selector has no pods");
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut conditions = json!([
            { "type": "Ready", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z" }
        ]);
        set_condition(&mut conditions, "Ready", "False", "Other", "");
        assert_eq!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        assert_eq!(conditions[0]["reason"], "Other");
        set_condition(&mut conditions, "Ready", "True", "", "");
        assert_ne!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        assert_eq!(conditions.as_array().unwrap().len(), 1);
    }
}
