//! Warnings about fields that are valid, but have no effect in this cluster.

use serde_json::Value;

use crate::kinds::Kind;

/// One warning for each field that this cluster stores and ignores although Kubernetes acts on it.
pub(crate) fn ignored(kind: &Kind, object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some((path, spec)) = pod_spec(kind, object) {
        pod(path, spec, &mut warnings);
    }
    match kind.kind {
        "Service" => service(&object["spec"], &mut warnings),
        "RoleBinding" if object["roleRef"]["kind"] == "ClusterRole" => {
            warnings.push("roleRef: this cluster has no ClusterRoles, so this binding grants nothing".into());
        }
        _ => {}
    }
    warnings
}

/// The pod's spec in an object, and its path.
fn pod_spec<'a>(kind: &Kind, object: &'a Value) -> Option<(&'static str, &'a Value)> {
    let (path, spec) = match kind.kind {
        "Pod" => ("spec", &object["spec"]),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "Job" => {
            ("spec.template.spec", &object["spec"]["template"]["spec"])
        }
        "CronJob" => (
            "spec.jobTemplate.spec.template.spec",
            &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        ),
        _ => return None,
    };
    Some((path, spec))
}

fn pod(path: &str, spec: &Value, warnings: &mut Vec<String>) {
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    for (field, why) in [
        ("affinity", "has one node, and places pods without regard to affinity"),
        ("topologySpreadConstraints", "has one node, and places pods without regard to topology"),
        ("hostNetwork", "gives every pod an address of its own"),
    ] {
        if is_set(&spec[field]) {
            warnings.push(format!("{path}.{field}: ignored, because this cluster {why}"));
        }
    }
    for (i, container) in spec["containers"].as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}.containers[{i}]");
        if is_set(&container["lifecycle"]) {
            warnings.push(format!(
                "{path}.lifecycle: ignored, because this cluster does not run lifecycle hooks"
            ));
        }
        let ports = container["ports"].as_array().into_iter().flatten();
        if ports.filter_map(|port| port["hostPort"].as_u64()).any(|port| port > 0) {
            warnings
                .push(format!("{path}.ports: hostPort is ignored; the pod listens on its own address only"));
        }
    }
}

fn service(spec: &Value, warnings: &mut Vec<String>) {
    match spec["type"].as_str() {
        Some("NodePort" | "LoadBalancer") => {
            warnings.push("spec.type: this cluster opens only the cluster IP, no port of the node".into());
        }
        Some("ExternalName") => {
            warnings.push(
                "spec.externalName: this cluster has no DNS, so nothing listens behind this name".into(),
            );
        }
        _ if spec["clusterIP"] == "None" => {
            warnings.push(
                "spec.clusterIP: this cluster has no DNS, so a headless service has no addresses".into(),
            );
        }
        _ => {}
    }
    if spec["sessionAffinity"] == "ClientIP" {
        warnings.push("spec.sessionAffinity: ignored; each connection goes to a random pod".into());
    }
    let ports = spec["ports"].as_array().into_iter().flatten();
    if ports.filter_map(|port| port["protocol"].as_str()).any(|protocol| protocol != "TCP") {
        warnings.push("spec.ports: this cluster forwards TCP only".into());
    }
}
