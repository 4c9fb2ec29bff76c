//! Applies the objects of the manifests by server-side apply.

use futures::future::try_join_all;
use kube::Error as KubeError;
use kube::api::Patch;
use serde_json::Value;

use super::approve::Approved;
use super::object::{api_of, in_namespace};
use crate::cluster::{Cluster, explain};
use crate::exit::{Error, Result};

/// Applies objects to the cluster's namespace. Accounts, Roles and configuration come first, then the bindings
/// of the Roles, and last the Deployments and Jobs that use them.
///
/// # Errors
/// Exit code 3 if a permission is missing, or if somebody else created the object after it was approved; else 4.
pub async fn apply(cluster: &Cluster, objects: &[Approved]) -> Result<()> {
    for stage in 0..=2 {
        let now = objects.iter().filter(|one| stage_of(&one.object) == stage);
        try_join_all(now.map(|one| apply_one(cluster, one))).await?;
    }
    Ok(())
}

fn stage_of(object: &Value) -> u8 {
    match object["kind"].as_str() {
        Some("Deployment" | "Job" | "CronJob") => 2,
        Some("RoleBinding") => 1,
        _ => 0,
    }
}

async fn apply_one(cluster: &Cluster, approved: &Approved) -> Result<()> {
    let (api, kind, name) = api_of(cluster, &approved.object);
    let object = in_namespace(cluster, &approved.object)?;
    let subject = format!("apply {kind} {}/{name}", cluster.namespace);
    match api.patch(&name, &approved.apply_params(), &Patch::Apply(&object)).await {
        Ok(_) => Ok(()),
        Err(KubeError::Api(status)) if status.code == 409 => {
            Err(Error::preflight(format!("{subject}: somebody else has created or changed it just now"))
                .next("look at it with kubectl get, and deploy again if it may be replaced"))
        }
        Err(error) => Err(explain(&subject, &error)),
    }
}
