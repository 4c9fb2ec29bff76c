//! The parts of the OpenAPI documents that `kubectl` reads: the parameters with which each kind can be
//! patched. Without them `kubectl apply` would check fields against schemas, which this server does not have.
//! With them it leaves the check to the server.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::kinds::{self, Kind};
use crate::version;

/// The path of the group and version of a kind.
fn folder(kind: &Kind) -> String {
    if kind.group.is_empty() { "api/v1".into() } else { format!("apis/{}", kind.api_version()) }
}

fn info() -> Value {
    json!({ "title": "Kubernetes", "version": version::full() })
}

/// `/openapi/v3`: the index, or the document of one group and version.
pub(crate) fn v3(path: &str) -> Option<Value> {
    let folders: BTreeSet<String> = kinds::ALL.into_iter().map(folder).collect();
    if path.is_empty() {
        let paths: Map<String, Value> = folders
            .into_iter()
            .map(|folder| {
                let link = format!("/openapi/v3/{folder}?hash={}", version::full());
                (folder, json!({ "serverRelativeURL": link }))
            })
            .collect();
        return Some(json!({ "paths": paths }));
    }
    let kinds = kinds::ALL.into_iter().filter(|kind| folder(kind) == path);
    let paths: Map<String, Value> = kinds.map(|kind| patch_of(kind, true)).collect();
    (!paths.is_empty()).then(|| json!({ "openapi": "3.0.0", "info": info(), "paths": paths }))
}

/// `/openapi/v2`
pub(crate) fn v2() -> Value {
    let paths: Map<String, Value> = kinds::ALL.into_iter().map(|kind| patch_of(kind, false)).collect();
    json!({ "swagger": "2.0", "info": info(), "paths": paths, "definitions": {} })
}

/// The path of a kind's objects, and the description of its patch operation.
fn patch_of(kind: &Kind, v3: bool) -> (String, Value) {
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
        .into_iter()
        .map(|name| {
            let mut parameter = json!({ "name": name, "in": "query" });
            let value_type = if name == "force" { "boolean" } else { "string" };
            if v3 {
                parameter["schema"] = json!({ "type": value_type });
            } else {
                parameter["type"] = json!(value_type);
            }
            parameter
        })
        .collect();
    let space = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
    let path = format!("/{}/{space}{}/{{name}}", folder(kind), kind.plural);
    let operation = json!({
        "operationId": format!("patch{}", kind.kind),
        "parameters": parameters,
        "responses": { "200": { "description": "OK" } },
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": { "group": kind.group, "version": kind.version, "kind": kind.kind },
    });
    (path, json!({ "patch": operation }))
}
