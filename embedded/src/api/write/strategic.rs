//! Strategic merge patches, which `kubectl apply`, `set image` and `rollout restart` send.

use serde_json::{Map, Value};

use super::lists;
use crate::refusal::Refusal;

const MAX_DEPTH: usize = 64;

/// Merges a patch into an object.
pub(crate) fn merge(object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let Value::Object(patch) = patch else {
        return Err(Refusal::bad_request("a strategic merge patch must be an object"));
    };
    merge_map(object, patch, 0)
}

fn merge_map(target: &mut Value, patch: &Map<String, Value>, depth: usize) -> Result<(), Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::bad_request("the patch is nested too deeply"));
    }
    if patch.get("$patch").is_some_and(|directive| directive == "replace") {
        *target =
            Value::Object(patch.iter().filter(|(name, _)| !is_directive(name)).map(cloned_pair).collect());
        return Ok(());
    }
    if patch.get("$patch").is_some_and(|directive| directive == "delete") {
        *target = Value::Object(Map::new());
        return Ok(());
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return Ok(()) };
    if let Some(retained) = patch.get("$retainKeys").and_then(Value::as_array) {
        map.retain(|name, _| retained.iter().any(|retained| retained == name));
    }
    for (name, value) in patch.iter().filter(|(name, _)| !is_directive(name)) {
        match value {
            Value::Null => {
                map.remove(name);
            }
            Value::Object(inside) => {
                let deleted = inside.get("$patch").is_some_and(|directive| directive == "delete");
                if deleted {
                    map.remove(name);
                } else {
                    merge_map(map.entry(name.clone()).or_insert(Value::Null), inside, depth + 1)?;
                }
            }
            Value::Array(items) => {
                let live = map.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
                map.insert(name.clone(), Value::Array(merge_list(name, live, items, depth)?));
            }
            _ => {
                map.insert(name.clone(), value.clone());
            }
        }
    }
    delete_from_lists(map, patch);
    order_lists(map, patch);
    Ok(())
}

fn cloned_pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn is_directive(name: &str) -> bool {
    matches!(name, "$patch" | "$retainKeys")
        || name.starts_with("$setElementOrder/")
        || name.starts_with("$deleteFromPrimitiveList/")
}

/// The field that identifies the items of a list.
fn merge_key(field: &str, items: &[Value]) -> Option<&'static str> {
    if let Some(keys) = lists::key_fields(field) {
        return keys.first().copied();
    }
    match field {
        "ports" if items.iter().any(|item| !item["containerPort"].is_null()) => Some("containerPort"),
        "ports" if items.iter().any(|item| !item["port"].is_null()) => Some("port"),
        _ => None,
    }
}

fn merge_list(field: &str, live: Vec<Value>, patch: &[Value], depth: usize) -> Result<Vec<Value>, Refusal> {
    let directive = |item: &Value, wanted: &str| item["$patch"] == wanted;
    if patch.iter().any(|item| directive(item, "replace")) {
        return Ok(patch.iter().filter(|item| !directive(item, "replace")).cloned().collect());
    }
    if field == "finalizers" {
        let more: Vec<Value> = patch.iter().filter(|item| !live.contains(item)).cloned().collect();
        return Ok(live.into_iter().chain(more).collect());
    }
    let Some(key) = merge_key(field, patch) else { return Ok(patch.to_vec()) };
    let mut merged = live;
    for item in patch {
        let Value::Object(map) = item else {
            return Err(Refusal::bad_request(format!("an item of {field} in the patch is not an object")));
        };
        let Some(identity) = map.get(key).filter(|identity| !identity.is_null()) else {
            let message = format!("map: {item} does not contain declared merge key: {key}");
            return Err(Refusal::bad_request(message));
        };
        let position = merged.iter().position(|live| live[key] == *identity);
        if directive(item, "delete") {
            merged.retain(|live| live[key] != *identity);
        } else if let Some(position) = position {
            merge_map(&mut merged[position], map, depth + 1)?;
        } else {
            let mut new = Value::Object(Map::new());
            merge_map(&mut new, map, depth + 1)?;
            merged.push(new);
        }
    }
    Ok(merged)
}

/// Carries out `$deleteFromPrimitiveList/NAME`: removes values from a list.
fn delete_from_lists(map: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        let list = name.strip_prefix("$deleteFromPrimitiveList/").and_then(|name| map.get_mut(name));
        if let (Some(Value::Array(live)), Value::Array(unwanted)) = (list, value) {
            live.retain(|item| !unwanted.contains(item));
        }
    }
}

/// Carries out `$setElementOrder/NAME`: orders the items that it names, and puts the others after them.
fn order_lists(map: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        let Some(field) = name.strip_prefix("$setElementOrder/") else { continue };
        let (Some(Value::Array(live)), Value::Array(wanted)) = (map.get_mut(field), value) else { continue };
        let key = merge_key(field, wanted);
        let position = |item: &Value| {
            let same = |wanted: &&Value| key.map_or(*wanted == item, |key| wanted[key] == item[key]);
            wanted.iter().position(|wanted| same(&wanted)).unwrap_or(usize::MAX)
        };
        live.sort_by_key(position);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut object: Value, patch: &Value) -> Value {
        merge(&mut object, patch).unwrap();
        object
    }

    #[test]
    fn a_patch_changes_the_container_with_the_same_name() {
        let object = json!({ "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "1", "args": ["x"] }] });
        let patch = json!({ "$setElementOrder/containers": [{ "name": "b" }, { "name": "a" }], "containers": [{ "name": "b", "image": "2", "args": ["y"] }] });
        let expected = json!({ "containers": [{ "name": "b", "image": "2", "args": ["y"] }, { "name": "a", "image": "1" }] });
        assert_eq!(merged(object, &patch), expected);
    }

    #[test]
    fn directives_delete_and_replace_items_and_maps() {
        let object = json!({ "env": [{ "name": "A", "value": "1" }, { "name": "B" }], "labels": { "x": "1", "y": "2" }, "strategy": { "type": "R", "rollingUpdate": {} } });
        let patch = json!({
            "env": [{ "$patch": "delete", "name": "A" }], "labels": { "x": null },
            "strategy": { "$retainKeys": ["type"], "type": "Recreate" },
        });
        let expected =
            json!({ "env": [{ "name": "B" }], "labels": { "y": "2" }, "strategy": { "type": "Recreate" } });
        assert_eq!(merged(object.clone(), &patch), expected);
        let replaced = merged(
            object,
            &json!({ "env": [{ "$patch": "replace" }, { "name": "C" }], "labels": { "$patch": "replace", "z": "3" } }),
        );
        assert_eq!(replaced["env"], json!([{ "name": "C" }]));
        assert_eq!(replaced["labels"], json!({ "z": "3" }));
    }

    #[test]
    fn ports_are_identified_by_number_and_finalizers_by_value() {
        let object =
            json!({ "ports": [{ "port": 80, "name": "a" }], "metadata": { "finalizers": ["a", "b"] } });
        let patch = json!({ "ports": [{ "port": 80, "targetPort": 8080 }, { "port": 81 }], "metadata": { "finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"] } });
        let expected = json!({ "ports": [{ "port": 80, "name": "a", "targetPort": 8080 }, { "port": 81 }], "metadata": { "finalizers": ["b", "c"] } });
        assert_eq!(merged(object, &patch), expected);
        assert_eq!(merge(&mut json!({}), &json!({ "env": [{ "value": "x" }] })).unwrap_err().code, 400);
    }
}
