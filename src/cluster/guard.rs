//! Nothing foreign is scaled or loaded by accident.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::{Cluster, FIELD_MANAGER, explain};
use crate::events::{Event, Events};
use crate::exit::{Error, Result};

/// What the server calls a server-side apply.
pub const APPLIED: &str = "Apply";
/// What it calls every other way to write an object, creating it among them.
pub const WRITTEN: &str = "Update";

/// Whether this program has put the object there, whole, by one of these operations of the server's
/// (`metadata.managedFields`); that it has scaled it, or written results into it, does not count.
pub fn is_ours<K: ResourceExt>(object: &K, operations: &[&str]) -> bool {
    object.managed_fields().iter().any(|field| {
        field.manager.as_deref() == Some(FIELD_MANAGER)
            && field.subresource.as_deref().is_none_or(str::is_empty)
            && field.operation.as_deref().is_some_and(|operation| operations.contains(&operation))
    })
}

/// Says which service is about to be scaled and loaded, and refuses one that this program did not
/// deploy unless `yes`.
///
/// # Errors
/// Exit code 3: it is not there, or it is foreign.
pub async fn guard(cluster: &Cluster, name: &str, yes: bool, events: &Events) -> Result<()> {
    let what = format!("deployment {}/{name} in {}", cluster.namespace, cluster.server);
    let found: Deployment = cluster.api().get(name).await.map_err(|error| explain(&what, &error))?;
    if !yes && !is_ours(&found, &[APPLIED]) {
        return Err(Error::preflight(format!(
            "{what} was not deployed by locust-matrix; it would be scaled and loaded"
        ))
        .next("check --context and --namespace; then allow it with --yes"));
    }
    events.tell(Event::note(format!("service: {what}")));
    Ok(())
}
