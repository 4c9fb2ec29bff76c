//! Fields that cannot change after the creation of an object.

use serde_json::{Value, json};

use super::causes::{Causes, invalid};
use crate::kinds::Kind;

/// Adds a cause for each immutable field that differs.
pub(crate) fn check(kind: &Kind, object: &Value, before: &Value, causes: &mut Causes) {
    let immutable: &[&str] = match kind.kind {
        "Deployment" | "ReplicaSet" => &["/spec/selector"],
        "StatefulSet" => &["/spec/selector", "/spec/serviceName", "/spec/podManagementPolicy"],
        "Job" => &["/spec/selector", "/spec/template", "/spec/completions", "/spec/completionMode"],
        "Secret" => &["/type"],
        "EndpointSlice" => &["/addressType"],
        "RoleBinding" => &["/roleRef"],
        _ => &[],
    };
    for pointer in immutable {
        let (new, old) = (object.pointer(pointer), before.pointer(pointer));
        if new != old {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            causes.push(invalid(&field, new.unwrap_or(&Value::Null), "field is immutable"));
        }
    }
    if matches!(kind.kind, "ConfigMap" | "Secret") && before["immutable"] == true {
        for field in ["data", "binaryData", "immutable"] {
            if object.get(field) != before.get(field) {
                causes.push((field.into(), "Forbidden: field is immutable when `immutable` is set".into()));
            }
        }
    }
    if kind.kind == "Pod"
        && without_mutable_fields(&object["spec"]) != without_mutable_fields(&before["spec"])
    {
        let why = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        causes.push(("spec".into(), why.into()));
    }
}

/// A pod's spec without the fields that may change.
fn without_mutable_fields(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(map) = &mut spec {
        map.remove("activeDeadlineSeconds");
        map.remove("tolerations");
        for list in ["containers", "initContainers"] {
            for container in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = json!("");
            }
        }
    }
    spec
}
