//! The defaults that Kubernetes fills in.

use serde_json::{Value, json};

use super::job_labels;
use crate::kinds::Kind;
use crate::object::pods::fill_defaults;

/// Fills in the defaults of an object.
pub(crate) fn fill(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "Pod" => {
            let spec = inside(object, "spec");
            fill_defaults(spec);
            pod_spec(spec);
            requests_from_limits(spec);
            set(inside(object, "status"), "phase", json!("Pending"));
        }
        "Deployment" => deployment(inside(object, "spec")),
        "ReplicaSet" => {
            let spec = inside(object, "spec");
            set(spec, "replicas", json!(1));
            template(spec);
        }
        "Job" => job(object),
        "CronJob" => {
            let spec = inside(object, "spec");
            set(spec, "concurrencyPolicy", json!("Allow"));
            set(spec, "suspend", json!(false));
            set(spec, "successfulJobsHistoryLimit", json!(3));
            set(spec, "failedJobsHistoryLimit", json!(1));
            template(inside(inside(spec, "jobTemplate"), "spec"));
        }
        "Service" => service(inside(object, "spec")),
        "Secret" => set(object, "type", json!("Opaque")),
        "RoleBinding" => set(inside(object, "roleRef"), "apiGroup", json!("rbac.authorization.k8s.io")),
        "Namespace" => {
            let name = object["metadata"]["name"].clone();
            set(inside(inside(object, "metadata"), "labels"), "kubernetes.io/metadata.name", name);
            set(inside(object, "spec"), "finalizers", json!(["kubernetes"]));
            set(inside(object, "status"), "phase", json!("Active"));
        }
        _ => {}
    }
}

/// The map in a field. Added if it is missing.
fn inside<'a>(value: &'a mut Value, field: &str) -> &'a mut Value {
    let inside = &mut value[field];
    if inside.is_null() {
        *inside = json!({});
    }
    inside
}

/// Sets a field, unless it already has a value.
fn set(value: &mut Value, field: &str, default: Value) {
    if let Value::Object(map) = value {
        let present = map.entry(field).or_insert(Value::Null);
        if present.is_null() {
            *present = default;
        }
    }
}

/// The items of a list.
fn each<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    value.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn deployment(spec: &mut Value) {
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "progressDeadlineSeconds", json!(600));
    let strategy = inside(spec, "strategy");
    set(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let rolling = inside(strategy, "rollingUpdate");
        set(rolling, "maxSurge", json!("25%"));
        set(rolling, "maxUnavailable", json!("25%"));
    }
    template(spec);
}

fn job(object: &mut Value) {
    let metadata = object["metadata"].clone();
    let spec = inside(object, "spec");
    set(spec, "parallelism", json!(1));
    set(spec, "completions", json!(1));
    set(spec, "backoffLimit", json!(6));
    set(spec, "completionMode", json!("NonIndexed"));
    set(spec, "suspend", json!(false));
    set(spec, "manualSelector", json!(false));
    let replacement = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    set(spec, "podReplacementPolicy", json!(replacement));
    for rule in spec["podFailurePolicy"].get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten()
    {
        for condition in each(rule, "onPodConditions") {
            set(condition, "status", json!("True"));
        }
    }
    template(spec);
    let uid = &metadata["uid"];
    if spec["manualSelector"] == false && uid.is_string() {
        let labels = inside(inside(inside(spec, "template"), "metadata"), "labels");
        for (label, value) in job_labels::of(uid, &metadata["name"]) {
            set(labels, label, value);
        }
        set(spec, "selector", json!({ "matchLabels": { job_labels::CONTROLLER_UID: uid } }));
    }
}

fn service(spec: &mut Value) {
    set(spec, "type", json!("ClusterIP"));
    set(spec, "sessionAffinity", json!("None"));
    if spec["type"] != "ExternalName" {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
        set(spec, "ipFamilyPolicy", json!("SingleStack"));
        set(spec, "ipFamilies", json!(["IPv4"]));
    }
    for port in each(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        set(port, "targetPort", number);
    }
}

fn template(spec: &mut Value) {
    pod_spec(inside(inside(spec, "template"), "spec"));
}

fn pod_spec(spec: &mut Value) {
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "terminationGracePeriodSeconds", json!(30));
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    set(spec, "schedulerName", json!("default-scheduler"));
    set(spec, "securityContext", json!({}));
    if spec["serviceAccountName"].is_string() {
        let account = spec["serviceAccountName"].clone();
        set(spec, "serviceAccount", account);
    }
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(container);
    }
    for volume in each(spec, "volumes") {
        for source in ["configMap", "secret", "projected", "downwardAPI"] {
            if volume[source].is_object() {
                set(&mut volume[source], "defaultMode", json!(420));
            }
        }
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    set(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    set(container, "terminationMessagePath", json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", json!("File"));
    set(container, "resources", json!({}));
    for port in each(container, "ports") {
        set(port, "protocol", json!("TCP"));
    }
    for variable in each(container, "env") {
        if variable["valueFrom"]["fieldRef"].is_object() {
            set(&mut variable["valueFrom"]["fieldRef"], "apiVersion", json!("v1"));
        }
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = &mut container[probe];
        if !probe.is_object() {
            continue;
        }
        set(probe, "timeoutSeconds", json!(1));
        set(probe, "periodSeconds", json!(10));
        set(probe, "successThreshold", json!(1));
        set(probe, "failureThreshold", json!(3));
        if probe["httpGet"].is_object() {
            set(&mut probe["httpGet"], "path", json!("/"));
            set(&mut probe["httpGet"], "scheme", json!("HTTP"));
        }
    }
    // Indexing a missing field for writing has added it as null.
    if let Value::Object(map) = container {
        map.retain(|_, value| !value.is_null());
    }
}

/// A limit without a request is also the request.
fn requests_from_limits(spec: &mut Value) {
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            let limits = container["resources"]["limits"].clone();
            for (name, amount) in limits.as_object().into_iter().flatten() {
                set(inside(&mut container["resources"], "requests"), name, amount.clone());
            }
        }
    }
}
