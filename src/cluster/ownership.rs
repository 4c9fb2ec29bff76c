//! Which objects this program created. Others are not replaced or deleted, and they are not scaled or loaded
//! without the user's consent.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt;

use super::connection::{Cluster, FIELD_MANAGER};
use super::failure::explain;
use super::workload::{Workload, read_workload};
use crate::config::WorkloadName;
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};
use crate::objects::MANAGED_BY;
use crate::secrets::hide_credentials;

/// The operation in `metadata.managedFields` after a server-side apply.
pub const OPERATION_APPLY: &str = "Apply";
/// The operation in `metadata.managedFields` after create, update and patch.
pub const OPERATION_UPDATE: &str = "Update";

/// The annotation that `kubectl apply` sets on the objects that it manages.
const KUBECTL_APPLY: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// An object and the first entry of its `managedFields` get their times one after the other, in whole seconds.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// Why an object is not this program's to replace or delete, as the end of a sentence; `None` if this program
/// created it. `operations` are those by which this program creates objects of this kind.
///
/// `managedFields` do not say who created an object. The proof is the label [`MANAGED_BY`] that this program,
/// and nobody else, owns: `deploy` applies only objects that it created or that do not exist, so it never puts
/// this label on an object of somebody else. `kubectl apply -k` sets the label, too, but then kubectl owns it.
///
/// Versions without the label took over objects of others. Without the label, an object is therefore ours only
/// if nobody else wrote it, or if our entry is as old as the object.
///
/// Writes to a subresource do not count: scaling somebody else's Deployment is not deploying it.
pub fn why_foreign<K: ResourceExt>(object: &K, operations: &[&str]) -> Option<String> {
    let label = object.labels().get(MANAGED_BY).map(String::as_str);
    if let Some(other) = label.filter(|label| *label != FIELD_MANAGER) {
        return Some(format!("its label {MANAGED_BY} is '{other}'"));
    }
    if object.annotations().contains_key(KUBECTL_APPLY) {
        return Some("kubectl apply manages it".into());
    }
    let entries = object.managed_fields().iter();
    let writers = entries.filter(|entry| entry.subresource.as_deref().is_none_or(str::is_empty));
    let (own, others): (Vec<_>, Vec<_>) =
        writers.partition(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let is_creation = |entry: &&&ManagedFieldsEntry| {
        entry.operation.as_deref().is_some_and(|operation| operations.contains(&operation))
    };
    let own: Vec<_> = own.iter().filter(is_creation).copied().collect();
    let names: Vec<_> = others.iter().filter_map(|entry| entry.manager.as_deref()).collect();
    if own.is_empty() {
        return Some(match names.first() {
            Some(name) => format!("{name} created it"),
            None => "nothing shows that locust-matrix created it".into(),
        });
    }
    if own.iter().any(|entry| owns_label(entry)) {
        let other = others.iter().find(|entry| owns_label(entry));
        let name = |other: &&ManagedFieldsEntry| other.manager.clone().unwrap_or_else(|| "somebody".into());
        return other.map(name).map(|name| format!("{name} applies it, too"));
    }
    let created = object.creation_timestamp();
    let is_as_old = |entry: &&ManagedFieldsEntry| {
        let times = entry.time.as_ref().zip(created.as_ref());
        times.is_some_and(|(entry, object)| entry.0.duration_since(object.0).abs() <= SAME_MOMENT)
    };
    if names.is_empty() || own.iter().any(is_as_old) {
        return None;
    }
    Some(format!("{} wrote it, too, and nothing shows who created it", names.join(", ")))
}

fn owns_label(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    fields.is_some_and(|fields| !fields["f:metadata"]["f:labels"][format!("f:{MANAGED_BY}")].is_null())
}

/// Finds the workload that is about to be scaled and loaded, and tells which one it is. Without `yes`, refuses one
/// that this program did not deploy.
///
/// # Errors
/// Exit code 3: the workload does not exist, or was deployed by somebody else.
pub async fn confirm_target(
    cluster: &Cluster,
    name: &WorkloadName,
    yes: bool,
    events: &Events,
) -> Result<Workload> {
    let workload = read_workload(cluster, name).await?;
    let kind = workload.resource.kind.to_lowercase();
    let subject = format!("{kind} {}/{} in {}", cluster.namespace, workload.name, cluster.server);
    let object = workload.api(cluster).get(&workload.name).await;
    let object = object.map_err(|error| explain(&subject, &error))?;
    if !yes && let Some(why) = why_foreign(&object, &[OPERATION_APPLY]) {
        return Err(Error::preflight(format!(
            "{subject} was not deployed by locust-matrix ({why}); it would be scaled and loaded"
        ))
        .next("check --context and --namespace; if they are right, confirm with --yes"));
    }
    events.tell(Progress::TargetConfirmed {
        deployment: workload.name.clone(),
        kind,
        namespace: cluster.namespace.clone(),
        server: hide_credentials(&cluster.server),
    });
    Ok(workload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::api::DynamicObject;
    use serde_json::{Value, json};

    const CREATED: &str = "2026-05-01T10:00:00Z";
    const LATER: &str = "2026-05-02T10:00:00Z";

    fn entry(manager: &str, operation: &str, time: &str, owns_the_label: bool) -> Value {
        let labels = if owns_the_label {
            json!({ "f:app": {}, format!("f:{MANAGED_BY}"): {} })
        } else {
            json!({ "f:app": {} })
        };
        json!({ "manager": manager, "operation": operation, "apiVersion": "v1", "time": time,
                "fieldsType": "FieldsV1", "fieldsV1": { "f:metadata": { "f:labels": labels } } })
    }

    fn why(labels: &Value, annotations: &Value, entries: &[Value], operations: &[&str]) -> Option<String> {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "x", "creationTimestamp": CREATED, "labels": labels,
                          "annotations": annotations, "managedFields": entries },
        });
        why_foreign(&serde_json::from_value::<DynamicObject>(object).unwrap(), operations)
    }

    fn marked(entries: &[Value]) -> Option<String> {
        why(&json!({ MANAGED_BY: FIELD_MANAGER }), &json!({}), entries, &[OPERATION_APPLY])
    }

    fn unmarked(entries: &[Value]) -> Option<String> {
        why(&json!({ "app": "locust" }), &json!({}), entries, &[OPERATION_APPLY])
    }

    #[expect(clippy::needless_pass_by_value, reason = "shorter calls")]
    fn says(why: Option<String>, expected: &str) {
        assert!(why.as_deref().is_some_and(|why| why.contains(expected)), "'{expected}' is not in {why:?}");
    }

    #[test]
    fn an_object_with_our_label_that_we_alone_own_is_ours_whoever_else_changed_it() {
        let ours = entry(FIELD_MANAGER, OPERATION_APPLY, LATER, true);
        assert_eq!(marked(std::slice::from_ref(&ours)), None);
        let changed = entry("kubectl-set", OPERATION_UPDATE, LATER, false);
        assert_eq!(marked(&[ours, changed]), None);
    }

    #[test]
    fn a_label_that_kubectl_owns_proves_nothing() {
        let kubectl = entry("kubectl", OPERATION_APPLY, CREATED, true);
        says(marked(std::slice::from_ref(&kubectl)), "kubectl created it");
        // A version without the label took this object over.
        let taken = entry(FIELD_MANAGER, OPERATION_APPLY, LATER, false);
        says(marked(&[kubectl.clone(), taken]), "nothing shows who created it");
        let ours = entry(FIELD_MANAGER, OPERATION_APPLY, CREATED, true);
        says(marked(&[ours.clone(), kubectl]), "kubectl applies it, too");
        let annotation = json!({ KUBECTL_APPLY: "{}" });
        let label = json!({ MANAGED_BY: FIELD_MANAGER });
        says(why(&label, &annotation, &[ours], &[OPERATION_APPLY]), "kubectl apply manages it");
    }

    #[test]
    fn an_object_that_another_tool_labels_is_that_tools() {
        let ours = entry(FIELD_MANAGER, OPERATION_APPLY, CREATED, false);
        let helm = json!({ MANAGED_BY: "Helm" });
        says(why(&helm, &json!({}), &[ours], &[OPERATION_APPLY]), "is 'Helm'");
    }

    #[test]
    fn an_object_of_a_version_without_the_label_is_ours_if_we_wrote_it_alone_or_at_its_creation() {
        let early = entry(FIELD_MANAGER, OPERATION_APPLY, CREATED, false);
        let late = entry(FIELD_MANAGER, OPERATION_APPLY, LATER, false);
        let other = entry("kubectl-set", OPERATION_UPDATE, LATER, false);
        let mut status = entry("kube-controller-manager", OPERATION_UPDATE, LATER, false);
        status["subresource"] = json!("status");
        assert_eq!(unmarked(&[late.clone(), status]), None);
        assert_eq!(unmarked(&[early, other.clone()]), None);
        says(unmarked(&[late, other]), "kubectl-set wrote it, too");
    }

    #[test]
    fn writing_or_scaling_an_object_is_not_creating_it() {
        let written = entry(FIELD_MANAGER, OPERATION_UPDATE, CREATED, false);
        says(unmarked(std::slice::from_ref(&written)), "nothing shows that locust-matrix created it");
        let mut scaled = entry(FIELD_MANAGER, OPERATION_APPLY, CREATED, true);
        scaled["subresource"] = json!("scale");
        says(marked(&[scaled]), "nothing shows");
        says(unmarked(&[]), "nothing shows");
        // A Job is created, and not applied.
        let both = [OPERATION_APPLY, OPERATION_UPDATE];
        assert_eq!(why(&json!({}), &json!({}), &[written], &both), None);
    }
}
