//! The settings of one Job: a ConfigMap that no other Job uses, and that is deleted with its Job.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PostParams};
use serde_json::json;

use crate::cluster::{Cluster, FIELD_MANAGER, explain, patch_params};
use crate::config::Settings;
use crate::exit::{Error, ExitCode, Result};
use crate::objects::{JOB, JOB_SETTINGS, LOAD_APP};

/// Writes the settings to a new ConfigMap and returns its name.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub(super) async fn create_settings(cluster: &Cluster, settings: &Settings) -> Result<String> {
    let name = format!("{JOB_SETTINGS}-{}", uuid::Uuid::now_v7().simple());
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "labels": { "app": LOAD_APP } },
        "data": { "config.yaml": settings.to_yaml()? },
    });
    let map: ConfigMap = serde_json::from_value(map)
        .map_err(|error| Error::new(ExitCode::Bug, format!("ConfigMap of the settings: {error}")))?;
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let created = cluster.api::<ConfigMap>().create(&params, &map).await;
    created.map_err(|error| explain(&format!("create ConfigMap {}/{name}", cluster.namespace), &error))?;
    Ok(name)
}

/// Makes the Job the owner of its settings, so that the cluster deletes them with the Job.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub(super) async fn adopt(cluster: &Cluster, map: &str, job_uid: &str) -> Result<()> {
    let owner = json!({ "apiVersion": "batch/v1", "kind": "Job", "name": JOB, "uid": job_uid });
    let patch = Patch::Merge(json!({ "metadata": { "ownerReferences": [owner] } }));
    let patched = cluster.api::<ConfigMap>().patch(map, &patch_params(), &patch).await;
    patched
        .map(drop)
        .map_err(|error| explain(&format!("patch ConfigMap {}/{map}", cluster.namespace), &error))
}

/// Deletes the settings of a Job that was not created.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub(super) async fn delete_settings(cluster: &Cluster, map: &str) -> Result<()> {
    let deleted = cluster.api::<ConfigMap>().delete(map, &DeleteParams::default()).await;
    deleted
        .map(drop)
        .map_err(|error| explain(&format!("delete ConfigMap {}/{map}", cluster.namespace), &error))
}
