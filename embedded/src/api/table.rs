//! Tables: what `kubectl get` prints.

mod age;
mod columns;
mod pod;
mod rows;

use serde_json::{Value, json};

use crate::store::Kind;

/// Objects as rows. `include` says how much of each object comes along: `None`, `Object`, or its metadata.
pub(super) fn table(kind: &Kind, objects: &[&Value], metadata: &Value, include: Option<&str>) -> Value {
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
            // A bookmark has nothing to show.
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

/// The object's metadata alone.
pub(super) fn metadata_only(object: &Value) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] })
}
