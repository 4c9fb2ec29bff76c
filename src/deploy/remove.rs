//! Takes back what `apply` has put into a cluster, and nothing else.

use kube::api::DeleteParams;
use serde_json::Value;

use super::apply::api_of;
use crate::cluster::{APPLIED, Cluster, WRITTEN, explain, is_ours};
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
        // A Job is created, not applied: each run has its own.
        let ours: &[&str] = if kind == "Job" { &[APPLIED, WRITTEN] } else { &[APPLIED] };
        if found.is_some_and(|found| is_ours(&found, ours)) {
            if !dry_run {
                let deleted = api.delete(&name, &DeleteParams::background()).await;
                deleted.map_err(|error| explain(&format!("delete {what}"), &error))?;
            }
            removed.push(format!("{kind}/{name}"));
        }
    }
    Ok(removed)
}
