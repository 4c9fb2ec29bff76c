//! Who sets the replicas of a workload, as its `managedFields` tell.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use super::connection::FIELD_MANAGER;

/// How the names of programs end that put back what others change: `argocd-controller`, `kustomize-controller`,
/// `keda-operator`, and `kube-controller-manager`, which scales for autoscalers.
const RECONCILERS: [&str; 5] = ["controller", "operator", "manager", "flux", "fleetagent"];

/// The field manager that was the last to set the replicas, unless that was this program.
pub(super) fn replicas_set_by(metadata: &ObjectMeta) -> Option<String> {
    let last = setters(metadata).max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    last.manager.clone()
}

/// Who is likely to put the replicas back: the object that controls this one, or a field manager that is no person's
/// tool.
pub(super) fn reconciler(metadata: &ObjectMeta) -> Option<String> {
    let mut owners = metadata.owner_references.iter().flatten();
    if let Some(owner) = owners.find(|owner| owner.controller == Some(true)) {
        return Some(format!("the controller of {} {}", owner.kind, owner.name));
    }
    let is_reconciler = |entry: &&ManagedFieldsEntry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        let applies = entry.operation.as_deref() == Some("Apply") && !manager.starts_with("kubectl");
        applies || RECONCILERS.iter().any(|end| manager.ends_with(end))
    };
    setters(metadata).find(is_reconciler).and_then(|entry| entry.manager.clone())
}

fn setters(metadata: &ObjectMeta) -> impl Iterator<Item = &ManagedFieldsEntry> {
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
        let by_hand = metadata(&[
            ("kubectl", "2026-01-01T00:00:01Z", &replicas),
            ("argocd-controller", "2026-01-01T00:00:08Z", &template),
        ]);
        assert_eq!(reconciler(&by_hand), None, "argocd-controller leaves the replicas alone");
        assert_eq!(
            reconciler(&all).as_deref(),
            Some("kube-controller-manager"),
            "it scales for an autoscaler"
        );
        let gitops = metadata(&[("kustomize-controller", "2026-01-01T00:00:03Z", &replicas)]);
        assert_eq!(reconciler(&gitops).as_deref(), Some("kustomize-controller"));
        let owner = json!({ "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "bert",
                            "uid": "1", "controller": true });
        let owned: ObjectMeta = serde_json::from_value(json!({ "ownerReferences": [owner] })).unwrap();
        assert_eq!(reconciler(&owned).as_deref(), Some("the controller of InferenceService bert"));
    }
}
