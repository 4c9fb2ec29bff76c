//! `metadata.managedFields`: who owns which field.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fields::{self, Path};
use crate::store::{Kind, now};

/// Who makes a change, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) apply: bool,
    pub(super) subresource: Option<String>,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) manager: Manager,
    pub(super) fields: BTreeSet<Path>,
    time: String,
}

pub(super) fn read(object: &Value) -> Vec<Owned> {
    let entries = object["metadata"]["managedFields"].as_array();
    let owned = entries.into_iter().flatten().map(|entry| Owned {
        manager: Manager {
            name: entry["manager"].as_str().unwrap_or_default().into(),
            apply: entry["operation"] == "Apply",
            subresource: entry["subresource"].as_str().map(Into::into),
        },
        fields: fields::from_v1(&entry["fieldsV1"]),
        time: entry["time"].as_str().unwrap_or_default().into(),
    });
    owned.collect()
}

pub(super) fn write(kind: &Kind, object: &mut Value, owned: &[Owned]) {
    let entries: Vec<Value> = owned
        .iter()
        .filter(|owned| !owned.fields.is_empty())
        .map(|owned| {
            let mut entry = json!({
                "manager": owned.manager.name,
                "operation": if owned.manager.apply { "Apply" } else { "Update" },
                "apiVersion": kind.api_version(),
                "time": owned.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields::to_v1(&owned.fields),
            });
            if let Some(subresource) = &owned.manager.subresource {
                entry["subresource"] = json!(subresource);
            }
            entry
        })
        .collect();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }
}

/// Gives a manager these fields: all it owns (`Apply`), or some more (`Update`).
pub(super) fn give(owned: &mut Vec<Owned>, manager: &Manager, fields: BTreeSet<Path>) {
    match owned.iter_mut().find(|owned| owned.manager == *manager) {
        Some(own) => {
            let before = own.fields.clone();
            if manager.apply {
                own.fields = fields;
            } else {
                own.fields.extend(fields);
            }
            if own.fields != before {
                own.time = now();
            }
        }
        None if fields.is_empty() => {}
        None => owned.push(Owned { manager: manager.clone(), fields, time: now() }),
    }
}

/// Writes down what a change that is no apply has done: who changes a field owns it from then on.
pub(super) fn track(kind: &Kind, before: &Value, after: &mut Value, manager: &Manager) {
    let mut owned = read(before);
    let was = fields::values(before);
    let is = fields::values(after);
    let changed = fields::changed(&was, &is);
    let gone = fields::gone(&was, &is);
    for owned in &mut owned {
        owned.fields.retain(|path| !gone.contains(path));
        if owned.manager != *manager {
            owned.fields.retain(|path| !changed.contains(path));
        }
    }
    give(&mut owned, manager, changed);
    write(kind, after, &owned);
}
