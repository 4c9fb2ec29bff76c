//! Discovery: the groups, versions and kinds of this server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::review::REVIEWS;
use crate::kinds::{self, Kind};
use crate::version;

/// `/version`
pub(crate) fn version() -> Value {
    let (major, minor) = version::VERSION.split_once('.').unwrap_or_default();
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("{}+locust-matrix", version::full()),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `/api`
pub(crate) fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }],
    })
}

/// `/apis`
pub(crate) fn groups() -> Value {
    let groups: Vec<Value> = group_names().into_iter().filter_map(group).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn group_names() -> BTreeSet<&'static str> {
    let stored = kinds::ALL.iter().map(|kind| kind.group);
    let reviews = REVIEWS.iter().map(|(group, _, _)| *group);
    stored.chain(reviews).filter(|group| !group.is_empty()).collect()
}

/// `/apis/GROUP`
pub(crate) fn group(name: &str) -> Option<Value> {
    let name = group_names().into_iter().find(|known| *known == name)?;
    let version = kinds::ALL.iter().find(|kind| kind.group == name).map_or("v1", |kind| kind.version);
    let version = json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    Some(json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": [version],
        "preferredVersion": version,
    }))
}

/// `/api/v1`, `/apis/GROUP/VERSION`
pub(crate) fn resources(group: &str, version: &str) -> Option<Value> {
    let stored = kinds::ALL.into_iter().filter(|kind| kind.group == group && kind.version == version);
    let mut resources: Vec<Value> = stored.flat_map(of_kind).collect();
    for (_, plural, kind) in REVIEWS.iter().filter(|(known, _, _)| *known == group && version == "v1") {
        resources.push(json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"],
        }));
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }))
}

/// A kind and its subresources.
fn of_kind(kind: &'static Kind) -> Vec<Value> {
    let mut main = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    });
    if !kind.short_names.is_empty() {
        main["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        main["categories"] = json!(kind.categories);
    }
    let mut all = vec![main];
    for subresource in kind.subresources {
        let mut part = json!({
            "name": format!("{}/{subresource}", kind.plural),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["get", "patch", "update"],
        });
        match *subresource {
            "scale" => {
                part["group"] = json!("autoscaling");
                part["version"] = json!("v1");
                part["kind"] = json!("Scale");
            }
            "eviction" => {
                part["group"] = json!("policy");
                part["version"] = json!("v1");
                part["kind"] = json!("Eviction");
                part["verbs"] = json!(["create"]);
            }
            "log" => part["verbs"] = json!(["get"]),
            "portforward" => {
                part["kind"] = json!("PodPortForwardOptions");
                part["verbs"] = json!(["create", "get"]);
            }
            "token" => {
                part["group"] = json!("authentication.k8s.io");
                part["version"] = json!("v1");
                part["kind"] = json!("TokenRequest");
                part["verbs"] = json!(["create"]);
            }
            _ => {}
        }
        all.push(part);
    }
    all
}
