//! Server-side apply, the kinds that others need first.

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::Value;

use crate::cluster::{APPLIED, Cluster, FIELD_MANAGER, explain, is_ours};
use crate::exit::{Error, ExitCode, Result};

/// Applies `objects` to the cluster's namespace: accounts and configuration, then what uses them.
///
/// # Errors
/// Exit code 3 where the permission is missing, else 4.
pub async fn apply(cluster: &Cluster, objects: &[Value]) -> Result<()> {
    let runs = |object: &&Value| matches!(object["kind"].as_str(), Some("Deployment" | "Job" | "CronJob"));
    let (second, first): (Vec<_>, Vec<_>) = objects.iter().partition(runs);
    try_join_all(first.into_iter().map(|object| apply_one(cluster, object))).await?;
    try_join_all(second.into_iter().map(|object| apply_one(cluster, object))).await?;
    Ok(())
}

/// Where an object belongs: its kind's objects in the cluster's namespace, its kind and its name.
pub(super) fn api_of(cluster: &Cluster, object: &Value) -> (Api<DynamicObject>, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api = Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
    (api, kind, text(&object["metadata"]["name"]))
}

/// The object in the cluster's namespace.
pub(super) fn placed(cluster: &Cluster, object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = cluster.namespace.clone().into();
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        subject["namespace"] = cluster.namespace.clone().into();
    }
    object
}

async fn apply_one(cluster: &Cluster, object: &Value) -> Result<()> {
    let (api, kind, name) = api_of(cluster, object);
    let object = placed(cluster, object);
    let object: DynamicObject = serde_json::from_value(object)
        .map_err(|error| Error::new(ExitCode::Bug, format!("manifest of {kind} {name}: {error}")))?;
    // Forced: replicas that a run has scaled are this program's, too, under another name.
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api.patch(&name, &params, &Patch::Apply(&object)).await;
    applied.map(drop).map_err(|error| explain(&format!("apply {kind} {}/{name}", cluster.namespace), &error))
}

/// Refuses to replace Deployments among `objects` that exist and were not made by this program.
///
/// # Errors
/// Exit code 3, naming the first one.
pub async fn refuse_foreign(cluster: &Cluster, objects: &[Value]) -> Result<()> {
    for object in objects.iter().filter(|object| object["kind"] == "Deployment") {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let what = format!("deployment {}/{name}", cluster.namespace);
        let found =
            cluster.api::<Deployment>().get_opt(name).await.map_err(|error| explain(&what, &error))?;
        if found.is_some_and(|found| !is_ours(&found, &[APPLIED])) {
            return Err(Error::preflight(format!("{what} exists and was not made by locust-matrix"))
                .next("choose another --namespace, or leave it out with --overlay base"));
        }
    }
    Ok(())
}
