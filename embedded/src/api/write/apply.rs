//! Server-side apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::fields::{self, Path};
use super::lists::{self, MergeRule};
use super::managed_fields::{self, Owned};
use crate::api::wire::call::FieldManager;
use crate::kinds::Kind;
use crate::refusal::Refusal;

/// Merges `applied` into the object, removes the fields that the manager applied before and no longer
/// applies, and records who owns which field. A field that another manager owns with another value is a
/// conflict, unless `force` takes it over.
pub(crate) fn apply(
    kind: &Kind,
    live: &Value,
    applied: &Value,
    manager: &FieldManager,
    force: bool,
) -> Result<Value, Refusal> {
    let applied = without_system_metadata(applied);
    let mut object = merge("", live, &applied)?;
    let mut owned = managed_fields::read(live);
    let wanted: BTreeSet<Path> = fields::values(&applied).into_keys().collect();
    let changed = fields::changed(&fields::values(live), &fields::values(&object));
    let conflicts = conflicts(&owned, manager, &changed);
    if !conflicts.is_empty() && !force {
        return Err(conflict_refusal(kind, &conflicts));
    }
    for (other, path) in &conflicts {
        for owned in owned.iter_mut().filter(|owned| owned.manager == *other) {
            owned.fields.remove(path);
        }
    }
    let before = owned.iter().find(|owned| owned.manager == *manager).map(|owned| owned.fields.clone());
    managed_fields::add_owner(&mut owned, manager, wanted);
    let all: BTreeSet<Path> = owned.iter().flat_map(|owned| owned.fields.iter().cloned()).collect();
    let still_owned = fields::with_parents(&all);
    // Parents come before their children, so removing a parent also removes its children.
    for path in fields::with_parents(&before.unwrap_or_default()).difference(&still_owned) {
        fields::remove(&mut object, path);
    }
    managed_fields::write(kind, &mut object, &owned);
    Ok(object)
}

/// The applied object without the metadata that only the server writes.
fn without_system_metadata(applied: &Value) -> Value {
    let mut applied = applied.clone();
    if let Some(metadata) = applied["metadata"].as_object_mut() {
        metadata.retain(|name, _| {
            matches!(name.as_str(), "labels" | "annotations" | "ownerReferences" | "finalizers")
        });
    }
    applied
}

fn conflicts(owned: &[Owned], manager: &FieldManager, changed: &BTreeSet<Path>) -> Vec<(FieldManager, Path)> {
    let others = owned.iter().filter(|owned| owned.manager != *manager);
    others
        .flat_map(|other| {
            other.fields.intersection(changed).map(|path| (other.manager.clone(), path.clone()))
        })
        .collect()
}

fn conflict_refusal(kind: &Kind, conflicts: &[(FieldManager, Path)]) -> Refusal {
    let mut by_manager: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (manager, path) in conflicts {
        let mut who = format!("{:?}", manager.name);
        if let Some(subresource) = &manager.subresource {
            who = format!("{who} with subresource {subresource:?}");
        }
        if !manager.apply {
            who = format!("{who} using {}", kind.api_version());
        }
        by_manager.entry(who).or_default().push(fields::display(path));
    }
    let listed = by_manager.iter().map(|(who, fields)| match conflicts {
        [_] => format!("conflict with {who}: {}", fields.join("")),
        _ => format!("conflicts with {who}:\n- {}", fields.join("\n- ")),
    });
    let message = listed.collect::<Vec<_>>().join("\n");
    let causes: Vec<Value> = by_manager
        .iter()
        .flat_map(|(who, fields)| fields.iter().map(move |field| (format!("conflict with {who}"), field)))
        .map(|(with, field)| json!({ "reason": "FieldManagerConflict", "message": with, "field": field }))
        .collect();
    let plural = if conflicts.len() == 1 { "" } else { "s" };
    let message = format!("Apply failed with {} conflict{plural}: {message}", conflicts.len());
    Refusal { details: Some(json!({ "causes": causes })), ..Refusal::new(409, "Conflict", message) }
}

/// The live value, overlaid with the applied value.
fn merge(field: &str, live: &Value, applied: &Value) -> Result<Value, Refusal> {
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) if !lists::is_atomic(field) => {
            let mut merged = live.clone();
            for (name, value) in applied.iter().filter(|(_, value)| !value.is_null()) {
                let live_value = live.get(name).unwrap_or(&Value::Null);
                merged.insert(name.clone(), merge(name, live_value, value)?);
            }
            Ok(Value::Object(merged))
        }
        (_, Value::Array(items)) => {
            let live = live.as_array().map(Vec::as_slice).unwrap_or_default();
            match lists::merge_rule(field, items) {
                MergeRule::Atomic => Ok(applied.clone()),
                MergeRule::Set => {
                    let more = items.iter().filter(|item| !live.contains(item));
                    Ok(live.iter().chain(more).cloned().collect())
                }
                MergeRule::Keyed(keys) => merge_keyed_list(field, live, items, keys),
            }
        }
        // Merging into an empty map checks the applied value, although there is no live value.
        (_, Value::Object(_)) if !live.is_object() && !lists::is_atomic(field) => {
            merge(field, &Value::Object(Map::new()), applied)
        }
        _ => Ok(applied.clone()),
    }
}

/// Merges a keyed list. The applied items keep their order. Items that only the live list has stay before the
/// items that they preceded.
fn merge_keyed_list(field: &str, live: &[Value], applied: &[Value], keys: &[&str]) -> Result<Value, Refusal> {
    let wanted = lists::identities(field, applied, keys)?;
    let present: Vec<_> = live.iter().map(|item| lists::identity(item, keys)).collect();
    let is_only_live = |i: usize| {
        present.get(i).is_some_and(|found| !found.as_ref().is_some_and(|found| wanted.contains(found)))
    };
    let mut merged = Vec::new();
    let mut next = 0;
    for (item, identity) in applied.iter().zip(&wanted) {
        let position = present.iter().position(|found| found.as_ref() == Some(identity));
        if let Some(position) = position {
            merged.extend((next..position).filter(|i| is_only_live(*i)).map(|i| live[i].clone()));
            next = next.max(position + 1);
        }
        merged.push(merge("", position.map_or(&Value::Null, |position| &live[position]), item)?);
    }
    merged.extend((next..live.len()).filter(|i| is_only_live(*i)).map(|i| live[i].clone()));
    Ok(Value::Array(merged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::DEPLOYMENTS;

    fn by(name: &str) -> FieldManager {
        FieldManager { name: name.into(), apply: true, subresource: None }
    }

    fn object(spec: &Value) -> Value {
        json!({ "metadata": { "name": "a" }, "spec": spec })
    }

    fn applied(live: &Value, spec: &Value, name: &str, force: bool) -> Result<Value, Refusal> {
        apply(&DEPLOYMENTS, live, &object(spec), &by(name), force)
    }

    #[test]
    fn applying_the_same_object_twice_changes_nothing() {
        let spec = json!({ "replicas": 2, "template": { "spec": { "containers": [
            { "name": "c", "ports": [{ "containerPort": 80 }], "env": [{ "name": "A", "value": "1" }] }] } } });
        let once = applied(&object(&json!({})), &spec, "a", false).unwrap();
        assert_eq!(applied(&once, &spec, "a", false).unwrap(), once);
    }

    #[test]
    fn a_conflict_names_manager_and_field_and_force_takes_the_field_over() {
        let live = applied(&object(&json!({})), &json!({ "replicas": 2 }), "first", false).unwrap();
        applied(&live, &json!({ "replicas": 2 }), "second", false).unwrap();
        let error = applied(&live, &json!({ "replicas": 3 }), "second", false).unwrap_err();
        assert_eq!(error.code, 409);
        assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"first\": .spec.replicas");
        let forced = applied(&live, &json!({ "replicas": 3 }), "second", true).unwrap();
        assert_eq!(forced["spec"]["replicas"], 3);
        assert_eq!(managed_fields::read(&forced).iter().filter(|owned| !owned.fields.is_empty()).count(), 1);
    }

    #[test]
    fn a_field_that_is_no_longer_applied_is_removed_unless_another_manager_owns_it() {
        let both = json!({ "replicas": 2, "template": { "spec": { "containers": [
            { "name": "c", "image": "i", "livenessProbe": { "httpGet": { "port": 1 } } }, { "name": "d" }] } } });
        let one = json!({ "template": { "spec": { "containers": [{ "name": "c", "image": "i" }] } } });
        let mut live = applied(&object(&json!({})), &both, "a", false).unwrap();
        // A default that no manager owns is removed with the probe.
        live["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = json!(10);
        let shared = applied(&live, &json!({ "replicas": 2 }), "b", false).unwrap();
        let after = applied(&shared, &one, "a", false).unwrap();
        let expected = json!({ "replicas": 2, "template": { "spec": { "containers": [{ "name": "c", "image": "i" }] } } });
        assert_eq!(after["spec"], expected);
        let alone = applied(&live, &one, "a", false).unwrap();
        assert!(alone["spec"].get("replicas").is_none());
    }

    #[test]
    fn items_that_are_not_applied_keep_their_positions() {
        let env = |names: &[&str]| -> Value {
            let env: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
            json!({ "template": { "spec": { "containers": [{ "name": "c", "env": env }] } } })
        };
        let after =
            applied(&object(&env(&["x", "a", "y", "b"])), &env(&["a", "b", "new"]), "a", false).unwrap();
        assert_eq!(after["spec"], env(&["x", "a", "y", "b", "new"]));
        assert_eq!(applied(&object(&json!({})), &env(&["a", "a"]), "a", false).unwrap_err().code, 400);
    }
}
