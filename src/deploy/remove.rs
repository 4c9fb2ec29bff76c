//! Takes back what `apply` has put into a cluster, and nothing else.

use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject};
use serde_json::Value;

use super::apply::api_of;
use crate::cluster::{Cluster, FIELD_MANAGER, explain};
use crate::exit::Result;

/// Deletes those of `objects` that are in the cluster's namespace and that this program put there;
/// gives what was deleted, as `Kind/name`. What somebody else made under the same name stays.
///
/// # Errors
/// Exit code 3 where the permission is missing, else 4.
pub async fn remove(cluster: &Cluster, objects: &[Value], dry_run: bool) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for object in objects {
        let (api, kind, name) = api_of(cluster, object);
        let what = format!("{kind} {}/{name}", cluster.namespace);
        let found = api.get_opt(&name).await.map_err(|error| explain(&what, &error))?;
        if found.is_some_and(|found| is_ours(&found)) {
            if !dry_run {
                let deleted = api.delete(&name, &DeleteParams::background()).await;
                deleted.map_err(|error| explain(&format!("delete {what}"), &error))?;
            }
            removed.push(format!("{kind}/{name}"));
        }
    }
    Ok(removed)
}

/// Whether this program has applied or created it; that it has scaled it, or written results into it,
/// does not count.
fn is_ours(object: &DynamicObject) -> bool {
    object.managed_fields().iter().any(|field| {
        let whole = field.subresource.as_deref().is_none_or(str::is_empty);
        let created =
            field.operation.as_deref() == Some("Apply") || object.types.as_ref().is_some_and(is_job);
        field.manager.as_deref() == Some(FIELD_MANAGER) && whole && created
    })
}

/// A Job is created, not applied: each run has its own.
fn is_job(types: &kube::api::TypeMeta) -> bool {
    types.kind == "Job"
}
