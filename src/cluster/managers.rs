//! Who sets the replicas of a workload, as its `managedFields` tell.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use super::connection::FIELD_MANAGER;

/// Field managers that put back what others change.
const RECONCILERS: [&str; 7] = [
    "argocd-controller",
    "argocd-application-controller",
    "kustomize-controller",
    "helm-controller",
    "flux",
    "fleetagent",
    "keda",
];

/// The field manager that was the last to set the replicas, unless that was this program.
pub(super) fn replicas_set_by(metadata: &ObjectMeta) -> Option<String> {
    let last = owners(metadata).max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    last.manager.clone()
}

/// A field manager of the replicas that is known to put them back.
pub(super) fn reconciler(metadata: &ObjectMeta) -> Option<String> {
    let mut managers = owners(metadata).filter_map(|entry| entry.manager.as_deref());
    managers.find(|manager| RECONCILERS.contains(manager)).map(str::to_owned)
}

fn owners(metadata: &ObjectMeta) -> impl Iterator<Item = &ManagedFieldsEntry> {
    let entries = metadata.managed_fields.iter().flatten();
    entries.filter(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let has_replicas = fields.is_some_and(|fields| !fields["f:spec"]["f:replicas"].is_null());
        has_replicas && entry.manager.as_deref() != Some(FIELD_MANAGER)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn metadata(entries: &[(&str, &str, &Value)]) -> ObjectMeta {
        let entries = entries.iter().map(|(manager, time, fields)| {
            json!({ "manager": manager, "operation": "Update", "time": time, "fieldsV1": fields })
        });
        serde_json::from_value(json!({ "managedFields": entries.collect::<Vec<_>>() })).unwrap()
    }

    #[test]
    fn the_last_one_who_has_set_the_replicas_is_named() {
        let (replicas, template) =
            (json!({ "f:spec": { "f:replicas": {} } }), json!({ "f:spec": { "f:template": {} } }));
        let all = metadata(&[
            ("kube-controller-manager", "2026-01-01T00:00:03Z", &replicas),
            ("kubectl", "2026-01-01T00:00:01Z", &replicas),
            ("locust-matrix", "2026-01-01T00:00:09Z", &replicas),
            ("argocd-controller", "2026-01-01T00:00:08Z", &template),
        ]);
        assert_eq!(replicas_set_by(&all).as_deref(), Some("kube-controller-manager"));
        assert_eq!(reconciler(&all), None, "argocd-controller leaves the replicas alone");
        let gitops = metadata(&[("kustomize-controller", "2026-01-01T00:00:03Z", &replicas)]);
        assert_eq!(reconciler(&gitops).as_deref(), Some("kustomize-controller"));
    }
}
