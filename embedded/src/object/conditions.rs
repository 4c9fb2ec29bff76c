//! Conditions in an object's status.

use serde_json::{Value, json};

use crate::time;

/// The condition of this type in a list of conditions.
pub(crate) fn find<'a>(conditions: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions.as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// The same, for changing it.
pub(crate) fn find_mut<'a>(conditions: &'a mut Value, kind: &str) -> Option<&'a mut Value> {
    conditions.as_array_mut()?.iter_mut().find(|condition| condition["type"] == kind)
}

/// The condition of this type in an object's status.
pub(crate) fn of_object<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    find(&object["status"]["conditions"], kind)
}

/// Whether the object has a condition of this type whose status is `True`.
pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    of_object(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Adds or replaces a condition. `lastTransitionTime` changes only if the condition's status changes.
pub(crate) fn set(conditions: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(list) = conditions.as_array_mut() else { return };
    let mut condition = json!({ "type": kind, "status": status, "lastTransitionTime": time::now() });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_changes_only_when_the_status_changes() {
        let mut conditions = json!([
            { "type": "Ready", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z" }
        ]);
        set(&mut conditions, "Ready", "False", "Other", "");
        assert_eq!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        assert_eq!(conditions[0]["reason"], "Other");
        set(&mut conditions, "Ready", "True", "", "");
        assert_ne!(conditions[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
        assert_eq!(conditions.as_array().unwrap().len(), 1);
    }
}
