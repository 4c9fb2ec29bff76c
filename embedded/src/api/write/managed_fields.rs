//! `metadata.managedFields`: which manager owns which fields.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fields::{self, Path};
use crate::api::wire::call::FieldManager;
use crate::kinds::Kind;
use crate::time::now;

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) manager: FieldManager,
    pub(crate) fields: BTreeSet<Path>,
    time: String,
}

/// Reads the `managedFields` of an object.
pub(crate) fn read(object: &Value) -> Vec<Owned> {
    let entries = object["metadata"]["managedFields"].as_array();
    let owned = entries.into_iter().flatten().map(|entry| Owned {
        manager: FieldManager {
            name: entry["manager"].as_str().unwrap_or_default().into(),
            apply: entry["operation"] == "Apply",
            subresource: entry["subresource"].as_str().map(Into::into),
        },
        fields: fields::from_v1(&entry["fieldsV1"]),
        time: entry["time"].as_str().unwrap_or_default().into(),
    });
    owned.collect()
}

/// Writes the `managedFields` of an object.
pub(crate) fn write(kind: &Kind, object: &mut Value, owned: &[Owned]) {
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

/// Makes a manager the owner of these fields. With `Apply` they replace the fields that it owned before,
/// otherwise they are added.
pub(crate) fn add_owner(owned: &mut Vec<Owned>, manager: &FieldManager, fields: BTreeSet<Path>) {
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

/// Records a change that is not an apply: the manager owns the fields that it has changed.
pub(crate) fn track(kind: &Kind, before: &Value, after: &mut Value, manager: &FieldManager) {
    let mut owned = read(before);
    let old = fields::values(before);
    let new = fields::values(after);
    let changed = fields::changed(&old, &new);
    let removed = fields::removed(&old, &new);
    for owned in &mut owned {
        owned.fields.retain(|path| !removed.contains(path));
        if owned.manager != *manager {
            owned.fields.retain(|path| !changed.contains(path));
        }
    }
    add_owner(&mut owned, manager, changed);
    write(kind, after, &owned);
}
