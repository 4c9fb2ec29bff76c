//! Which objects this program deployed itself. Others are not scaled or loaded without the user's consent.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::connection::{Cluster, FIELD_MANAGER};
use super::failure::explain;
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};

/// The operation in `metadata.managedFields` after a server-side apply.
pub const OPERATION_APPLY: &str = "Apply";
/// The operation in `metadata.managedFields` after create, update and patch.
pub const OPERATION_UPDATE: &str = "Update";

/// Whether `metadata.managedFields` shows that this program wrote the object with one of `operations`.
///
/// Writes to a subresource do not count: scaling somebody else's Deployment is not deploying it.
pub fn is_deployed_by_us<K: ResourceExt>(object: &K, operations: &[&str]) -> bool {
    object.managed_fields().iter().any(|field| {
        field.manager.as_deref() == Some(FIELD_MANAGER)
            && field.subresource.as_deref().is_none_or(str::is_empty)
            && field.operation.as_deref().is_some_and(|operation| operations.contains(&operation))
    })
}

/// Tells which Deployment is about to be scaled and loaded. Without `yes`, refuses one that this program did
/// not deploy.
///
/// # Errors
/// Exit code 3: the Deployment does not exist, or was deployed by somebody else.
pub async fn confirm_target(cluster: &Cluster, name: &str, yes: bool, events: &Events) -> Result<()> {
    let subject = format!("deployment {}/{name} in {}", cluster.namespace, cluster.server);
    let deployment: Deployment = cluster.api().get(name).await.map_err(|error| explain(&subject, &error))?;
    if !yes && !is_deployed_by_us(&deployment, &[OPERATION_APPLY]) {
        return Err(Error::preflight(format!(
            "{subject} was not deployed by locust-matrix; it would be scaled and loaded"
        ))
        .next("check --context and --namespace; if they are right, confirm with --yes"));
    }
    events.tell(Progress::TargetConfirmed {
        deployment: name.to_owned(),
        namespace: cluster.namespace.clone(),
        server: cluster.server.clone(),
    });
    Ok(())
}
