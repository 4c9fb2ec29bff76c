//! Changing the number of a workload's replicas.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::connection::{Cluster, patch_params};
use super::failure::explain;
use super::managers::replicas_set_by;
use super::unready::Unready;
use super::workload::{Workload, rule_for};
use crate::exit::Result;

/// Sets the replicas of a workload through its `scale` subresource.
///
/// # Errors
/// Exit code 3 if the workload or the permission is missing, else 4.
pub async fn scale(cluster: &Cluster, workload: &Workload, replicas: u32) -> Result<()> {
    patch_scale(cluster, workload, replicas, &patch_params()).await
}

/// Asks the API server whether this program may scale a workload. Nothing is changed.
///
/// # Errors
/// As [`scale`].
pub async fn may_scale(cluster: &Cluster, workload: &Workload) -> Result<()> {
    let params = PatchParams { dry_run: true, ..patch_params() };
    patch_scale(cluster, workload, workload.replicas, &params).await
}

/// What somebody else has set the replicas of a workload to; `None` if they are `wanted`, or if that is not known.
pub async fn rescaled(cluster: &Cluster, workload: &Workload, wanted: u32) -> Option<Unready> {
    let object = workload.api(cluster).get(&workload.name).await.ok()?;
    let to = object.data["spec"]["replicas"].as_i64().filter(|to| *to != i64::from(wanted))?;
    Some(Unready::Rescaled { to, by: replicas_set_by(&object.metadata) })
}

async fn patch_scale(
    cluster: &Cluster,
    workload: &Workload,
    replicas: u32,
    params: &PatchParams,
) -> Result<()> {
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let scaled = workload.api(cluster).patch_scale(&workload.name, params, &patch).await;
    scaled.map(drop).map_err(|error| {
        let kind = workload.resource.kind.to_lowercase();
        let action = format!("scale {kind} {}/{} to {replicas}", cluster.namespace, workload.name);
        match &error {
            kube::Error::Api(status) if status.code == 403 => {
                explain(&action, &error).next(rule_for(&workload.resource))
            }
            _ => explain(&action, &error),
        }
    })
}
