//! Applies the objects of the manifests by server-side apply, and deletes them again.

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::Value;

use crate::cluster::{Cluster, FIELD_MANAGER, OPERATION_APPLY, OPERATION_UPDATE, explain, is_deployed_by_us};
use crate::exit::{Error, ExitCode, Result};

/// Applies `objects` to the cluster's namespace. Accounts and configuration come before the Deployments and
/// Jobs that use them.
///
/// # Errors
/// Exit code 3 if a permission is missing, else 4.
pub async fn apply(cluster: &Cluster, objects: &[Value]) -> Result<()> {
    let starts_pods =
        |object: &&Value| matches!(object["kind"].as_str(), Some("Deployment" | "Job" | "CronJob"));
    let (workloads, others): (Vec<_>, Vec<_>) = objects.iter().partition(starts_pods);
    try_join_all(others.into_iter().map(|object| apply_one(cluster, object))).await?;
    try_join_all(workloads.into_iter().map(|object| apply_one(cluster, object))).await?;
    Ok(())
}

/// Refuses to replace Deployments among `objects` that exist and were not deployed by this program.
///
/// # Errors
/// Exit code 3, naming the first one.
pub async fn refuse_foreign(cluster: &Cluster, objects: &[Value]) -> Result<()> {
    for object in objects.iter().filter(|object| object["kind"] == "Deployment") {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let subject = format!("deployment {}/{name}", cluster.namespace);
        let existing =
            cluster.api::<Deployment>().get_opt(name).await.map_err(|error| explain(&subject, &error))?;
        if existing.is_some_and(|existing| !is_deployed_by_us(&existing, &[OPERATION_APPLY])) {
            return Err(Error::preflight(format!("{subject} exists and was not deployed by locust-matrix"))
                .next("choose another --namespace, or leave it out with --overlay base"));
        }
    }
    Ok(())
}

/// Deletes those of `objects` that exist in the cluster's namespace and were deployed by this program; returns
/// them as `Kind/name`. With `dry_run`, only returns them.
///
/// # Errors
/// Exit code 3 if a permission is missing, else 4.
pub async fn delete(cluster: &Cluster, objects: &[Value], dry_run: bool) -> Result<Vec<String>> {
    let mut deleted = Vec::new();
    for object in objects {
        let (api, kind, name) = api_of(cluster, object);
        let subject = format!("{kind} {}/{name}", cluster.namespace);
        let existing = api.get_opt(&name).await.map_err(|error| explain(&subject, &error))?;
        // This program creates Jobs and applies everything else.
        let operations: &[&str] =
            if kind == "Job" { &[OPERATION_APPLY, OPERATION_UPDATE] } else { &[OPERATION_APPLY] };
        if existing.is_some_and(|existing| is_deployed_by_us(&existing, operations)) {
            if !dry_run {
                let ended = api.delete(&name, &DeleteParams::background()).await;
                ended.map_err(|error| explain(&format!("delete {subject}"), &error))?;
            }
            deleted.push(format!("{kind}/{name}"));
        }
    }
    Ok(deleted)
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

/// Parameters of a server-side apply. It is forced, because a run that scales a Deployment takes over its
/// field `replicas` under another operation of the same field manager.
pub(super) fn apply_params() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

async fn apply_one(cluster: &Cluster, object: &Value) -> Result<()> {
    let (api, kind, name) = api_of(cluster, object);
    let object = in_namespace(cluster, object)?;
    let applied = api.patch(&name, &apply_params(), &Patch::Apply(&object)).await;
    applied.map(drop).map_err(|error| explain(&format!("apply {kind} {}/{name}", cluster.namespace), &error))
}
