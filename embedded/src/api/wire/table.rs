//! Tables, which `kubectl get` prints.

mod age;
mod columns;
mod pod;
mod rows;

use serde_json::{Value, json};

use crate::kinds::Kind;

/// A table with one row for each object. `include` says how much of the object each row contains: `None`,
/// `Object`, or only the metadata.
pub(crate) fn table(kind: &Kind, objects: &[&Value], metadata: &Value, include: Option<&str>) -> Value {
    let columns: Vec<Value> = columns::of(kind)
        .iter()
        .map(|(name, wide)| {
            json!({
                "name": name,
                "type": if matches!(*name, "Restarts" | "Up-to-date" | "Available" | "Desired" | "Current") { "integer" } else { "string" },
                "format": if *name == "Name" { "name" } else { "" },
                "description": "",
                "priority": i32::from(*wide),
            })
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            // A bookmark has only metadata, so its cells are empty.
            let cells = if object["metadata"]["name"].is_string() {
                rows::cells(kind, object)
            } else {
                vec![Value::from(""); columns.len()]
            };
            let mut row = json!({ "cells": cells });
            match include {
                Some("None") => {}
                Some("Object") => row["object"] = Value::clone(object),
                _ => row["object"] = metadata_only(object),
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": metadata["resourceVersion"] },
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// Only the metadata of an object.
pub(crate) fn metadata_only(object: &Value) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] })
}
