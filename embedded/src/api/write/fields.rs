//! Sets of fields: those that a manager owns, and those that a change affects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::lists::{self, MergeRule};

/// The path of a field. Its elements have the format of `fieldsV1`: `f:name`, `k:{"name":"x"}`, `v:"x"`.
pub(crate) type Path = Vec<String>;

/// The values of an object's fields. An item of a list has no value, only its presence counts.
pub(crate) type Values<'a> = BTreeMap<Path, Option<&'a Value>>;

/// All fields of an object that a manager can own.
pub(crate) fn values(object: &Value) -> Values<'_> {
    let mut found = BTreeMap::new();
    if let Value::Object(map) = object {
        for (name, value) in map {
            match name.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if matches!(
                            name.as_str(),
                            "labels" | "annotations" | "ownerReferences" | "finalizers"
                        ) {
                            add_field(
                                &["f:metadata".to_owned(), format!("f:{name}")],
                                name,
                                value,
                                &mut found,
                            );
                        }
                    }
                }
                _ => add_field(&[format!("f:{name}")], name, value, &mut found),
            }
        }
    }
    found
}

/// Adds a field and everything below it.
fn add_field<'a>(path: &[String], name: &str, value: &'a Value, into: &mut Values<'a>) {
    match value {
        Value::Null => {}
        Value::Object(map) if !map.is_empty() && !lists::is_atomic(name) => {
            for (name, value) in map {
                add_field(&child(path, format!("f:{name}")), name, value, into);
            }
        }
        Value::Array(items) if !items.is_empty() => add_list(path, name, value, items, into),
        _ => {
            into.insert(path.to_vec(), Some(value));
        }
    }
}

fn add_list<'a>(path: &[String], name: &str, value: &'a Value, items: &'a [Value], into: &mut Values<'a>) {
    match lists::merge_rule(name, items) {
        MergeRule::Atomic => {
            into.insert(path.to_vec(), Some(value));
        }
        MergeRule::Set => {
            for item in items {
                into.insert(child(path, format!("v:{item}")), None);
            }
        }
        MergeRule::Keyed(keys) => {
            for item in items {
                let Some(identity) = lists::identity(item, keys) else { continue };
                let path = child(path, format!("k:{}", Value::Object(identity)));
                for (name, value) in item.as_object().into_iter().flatten() {
                    add_field(&child(&path, format!("f:{name}")), name, value, into);
                }
                into.insert(path, None);
            }
        }
    }
}

/// The path of an element below `path`.
fn child(path: &[String], element: String) -> Path {
    let mut path = path.to_vec();
    path.push(element);
    path
}

/// The fields that are new or have another value.
pub(crate) fn changed(before: &Values<'_>, after: &Values<'_>) -> BTreeSet<Path> {
    let differs = |path: &&Path| before.get(*path) != after.get(*path);
    after.keys().filter(differs).cloned().collect()
}

/// The fields that were removed.
pub(crate) fn removed(before: &Values<'_>, after: &Values<'_>) -> BTreeSet<Path> {
    before.keys().filter(|path| !after.contains_key(*path)).cloned().collect()
}

/// Reads `fieldsV1`.
pub(crate) fn from_v1(fields: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    collect_paths(fields, &mut Vec::new(), &mut found);
    found
}

fn collect_paths(fields: &Value, path: &mut Path, into: &mut BTreeSet<Path>) {
    let Value::Object(map) = fields else { return };
    if map.is_empty() && !path.is_empty() {
        into.insert(path.clone());
    }
    for (element, inside) in map {
        if element == "." {
            into.insert(path.clone());
            continue;
        }
        path.push(element.clone());
        collect_paths(inside, path, into);
        path.pop();
    }
}

/// Writes `fieldsV1`.
pub(crate) fn to_v1(paths: &BTreeSet<Path>) -> Value {
    let mut root = Map::new();
    for path in paths {
        insert_path(&mut root, path);
    }
    let mut fields = Value::Object(root);
    remove_needless_dots(&mut fields);
    fields
}

fn insert_path(fields: &mut Map<String, Value>, path: &[String]) {
    match path.split_first() {
        None => {
            fields.insert(".".into(), json!({}));
        }
        Some((element, rest)) => {
            if let Value::Object(inside) = fields.entry(element.clone()).or_insert_with(|| json!({})) {
                insert_path(inside, rest);
            }
        }
    }
}

/// Removes the dot from fields without children.
fn remove_needless_dots(fields: &mut Value) {
    if let Value::Object(map) = fields {
        if map.len() == 1 && map.contains_key(".") {
            map.clear();
        }
        map.values_mut().for_each(remove_needless_dots);
    }
}

/// The paths and all of their parents.
pub(crate) fn with_parents(paths: &BTreeSet<Path>) -> BTreeSet<Path> {
    paths.iter().flat_map(|path| (1..=path.len()).map(|length| path[..length].to_vec())).collect()
}

/// Removes a field or an item from an object.
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    let Some((element, rest)) = path.split_first() else { return };
    if let (Some(name), Value::Object(map)) = (element.strip_prefix("f:"), &mut *object) {
        if rest.is_empty() {
            map.remove(name);
        } else if let Some(inside) = map.get_mut(name) {
            remove(inside, rest);
        }
        return;
    }
    let Value::Array(items) = object else { return };
    let position = items.iter().position(|item| is_item(item, element));
    if let Some(position) = position {
        if rest.is_empty() {
            items.remove(position);
        } else {
            remove(&mut items[position], rest);
        }
    }
}

fn is_item(item: &Value, element: &str) -> bool {
    if let Some(text) = element.strip_prefix("v:") {
        return *item == serde_json::from_str::<Value>(text).unwrap_or_default();
    }
    let keys =
        element.strip_prefix("k:").and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    keys.is_some_and(|keys| {
        let names: Vec<&str> = keys.keys().map(String::as_str).collect();
        lists::identity(item, &names).is_some_and(|identity| identity == keys)
    })
}

/// A path in the format of messages: `.spec.containers[name="a"].image`.
pub(crate) fn display(path: &[String]) -> String {
    path.iter()
        .map(|element| match element.split_once(':') {
            Some(("f", name)) => format!(".{name}"),
            Some(("k", keys)) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", keys.join(","))
            }
            Some(("v", value)) => format!("[={value}]"),
            _ => element.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_kubernetes_format() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "a", "labels": { "app": "x" } },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": "x" } },
                "template": { "spec": { "containers": [{ "name": "c", "image": "i", "args": ["a"] }] } },
            },
        });
        let paths: BTreeSet<Path> = values(&object).into_keys().collect();
        let written = to_v1(&paths);
        let expected = json!({
            "f:metadata": { "f:labels": { "f:app": {} } },
            "f:spec": {
                "f:replicas": {}, "f:selector": {},
                "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"c\"}": {
                    ".": {}, "f:name": {}, "f:image": {}, "f:args": {} } } } },
            },
        });
        assert_eq!(written, expected);
        assert_eq!(from_v1(&written), paths);
    }

    #[test]
    fn list_items_are_removed_by_their_key() {
        let mut object =
            json!({ "spec": { "containers": [{ "name": "a" }, { "name": "b", "image": "x" }] } });
        let path = |text: &str| -> Path { text.split(' ').map(Into::into).collect() };
        remove(&mut object, &path("f:spec f:containers k:{\"name\":\"b\"} f:image"));
        remove(&mut object, &path("f:spec f:containers k:{\"name\":\"a\"}"));
        assert_eq!(object, json!({ "spec": { "containers": [{ "name": "b" }] } }));
        let displayed = display(&path("f:spec f:containers k:{\"name\":\"b\"} f:image"));
        assert_eq!(displayed, ".spec.containers[name=\"b\"].image");
    }
}
