//! Nothing foreign is scaled or loaded by accident.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::{Cluster, FIELD_MANAGER, explain};
use crate::events::{Event, Events};
use crate::exit::{Error, Result};

/// Whether this program deployed it.
pub fn is_ours(deployment: &Deployment) -> bool {
    let ours =
        |manager: &str, operation: Option<&str>| manager == FIELD_MANAGER && operation == Some("Apply");
    deployment
        .managed_fields()
        .iter()
        .any(|field| ours(field.manager.as_deref().unwrap_or_default(), field.operation.as_deref()))
}

/// Says which service is about to be scaled and loaded, and refuses one that this program did not
/// deploy unless `yes`.
///
/// # Errors
/// Exit code 3: it is not there, or it is foreign.
pub async fn guard(cluster: &Cluster, name: &str, yes: bool, events: &Events) -> Result<()> {
    let what = format!("deployment {}/{name} in {}", cluster.namespace, cluster.server);
    let found: Deployment = cluster.api().get(name).await.map_err(|error| explain(&what, &error))?;
    if !yes && !is_ours(&found) {
        return Err(Error::preflight(format!(
            "{what} was not deployed by locust-matrix; it would be scaled and loaded"
        ))
        .next("check --context and --namespace; then allow it with --yes"));
    }
    events.tell(Event::note(format!("service: {what}")));
    Ok(())
}
