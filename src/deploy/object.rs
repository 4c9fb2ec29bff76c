//! An object of the manifests, and its place in the cluster.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

use crate::cluster::{Cluster, OPERATION_APPLY, OPERATION_UPDATE};
use crate::exit::{Error, ExitCode, Result};

/// `Kind/name`, as messages show an object.
pub(super) fn title(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The API for an object's kind in the cluster's namespace, with the object's kind and name.
pub(super) fn api_of(cluster: &Cluster, object: &Value) -> (Api<DynamicObject>, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api = Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
    (api, kind, text(&object["metadata"]["name"]))
}

/// The object with the cluster's namespace, ready to apply.
///
/// # Errors
/// Exit code 1: the manifest is not an object of Kubernetes.
pub(super) fn in_namespace(cluster: &Cluster, object: &Value) -> Result<DynamicObject> {
    let mut object = object.clone();
    object["metadata"]["namespace"] = cluster.namespace.clone().into();
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        subject["namespace"] = cluster.namespace.clone().into();
    }
    let subject = format!("manifest of {} {}", object["kind"], object["metadata"]["name"]);
    serde_json::from_value(object).map_err(|error| Error::new(ExitCode::Bug, format!("{subject}: {error}")))
}

/// The operations by which this program creates objects of this kind. It creates Jobs and applies everything
/// else.
pub(super) fn creating_operations(kind: &str) -> &'static [&'static str] {
    if kind == "Job" { &[OPERATION_APPLY, OPERATION_UPDATE] } else { &[OPERATION_APPLY] }
}
