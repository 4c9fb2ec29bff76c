//! The defaults that Kubernetes fills in.

use serde_json::{Value, json};

use super::job_labels;
use crate::kinds::Kind;
use crate::object::pods::fill_defaults;

/// Fills in the defaults of an object.
pub(crate) fn fill(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "Pod" => {
            let spec = map_in(object, "spec");
            fill_defaults(spec);
            pod_spec(spec);
            requests_from_limits(spec);
            set_default(map_in(object, "status"), "phase", json!("Pending"));
        }
        "Deployment" => deployment(map_in(object, "spec")),
        "ReplicaSet" => {
            let spec = map_in(object, "spec");
            set_default(spec, "replicas", json!(1));
            template(spec);
        }
        "StatefulSet" => stateful_set(map_in(object, "spec")),
        "HorizontalPodAutoscaler" => autoscaler(map_in(object, "spec")),
        "Job" => job(object),
        "CronJob" => {
            let spec = map_in(object, "spec");
            set_default(spec, "concurrencyPolicy", json!("Allow"));
            set_default(spec, "suspend", json!(false));
            set_default(spec, "successfulJobsHistoryLimit", json!(3));
            set_default(spec, "failedJobsHistoryLimit", json!(1));
            template(map_in(map_in(spec, "jobTemplate"), "spec"));
        }
        "Service" => service(map_in(object, "spec")),
        "Secret" => set_default(object, "type", json!("Opaque")),
        "RoleBinding" => {
            set_default(map_in(object, "roleRef"), "apiGroup", json!("rbac.authorization.k8s.io"));
        }
        "Namespace" => {
            let name = object["metadata"]["name"].clone();
            set_default(map_in(map_in(object, "metadata"), "labels"), "kubernetes.io/metadata.name", name);
            set_default(map_in(object, "spec"), "finalizers", json!(["kubernetes"]));
            set_default(map_in(object, "status"), "phase", json!("Active"));
        }
        _ => {}
    }
}

/// The map in a field. Added if it is missing.
fn map_in<'a>(value: &'a mut Value, field: &str) -> &'a mut Value {
    let map = &mut value[field];
    if map.is_null() {
        *map = json!({});
    }
    map
}

/// Sets a field, unless it already has a value. An empty text is no value: clients in Go send it for a field that
/// their user has not set.
fn set_default(value: &mut Value, field: &str, default: Value) {
    if let Value::Object(map) = value {
        let present = map.entry(field).or_insert(Value::Null);
        if present.is_null() || *present == "" {
            *present = default;
        }
    }
}

/// The items of a list.
fn items_of<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    value.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn deployment(spec: &mut Value) {
    set_default(spec, "replicas", json!(1));
    set_default(spec, "revisionHistoryLimit", json!(10));
    set_default(spec, "progressDeadlineSeconds", json!(600));
    let strategy = map_in(spec, "strategy");
    set_default(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let rolling = map_in(strategy, "rollingUpdate");
        set_default(rolling, "maxSurge", json!("25%"));
        set_default(rolling, "maxUnavailable", json!("25%"));
    }
    template(spec);
}

fn stateful_set(spec: &mut Value) {
    set_default(spec, "replicas", json!(1));
    set_default(spec, "revisionHistoryLimit", json!(10));
    set_default(spec, "podManagementPolicy", json!("OrderedReady"));
    let strategy = map_in(spec, "updateStrategy");
    set_default(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        set_default(map_in(strategy, "rollingUpdate"), "partition", json!(0));
    }
    template(spec);
}

fn autoscaler(spec: &mut Value) {
    set_default(spec, "minReplicas", json!(1));
    let target = json!({ "type": "Utilization", "averageUtilization": 80 });
    let cpu = json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } });
    set_default(spec, "metrics", json!([cpu]));
}

fn job(object: &mut Value) {
    let metadata = object["metadata"].clone();
    let spec = map_in(object, "spec");
    set_default(spec, "parallelism", json!(1));
    set_default(spec, "completions", json!(1));
    set_default(spec, "backoffLimit", json!(6));
    set_default(spec, "completionMode", json!("NonIndexed"));
    set_default(spec, "suspend", json!(false));
    set_default(spec, "manualSelector", json!(false));
    let replacement = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    set_default(spec, "podReplacementPolicy", json!(replacement));
    for rule in spec["podFailurePolicy"].get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten()
    {
        for condition in items_of(rule, "onPodConditions") {
            set_default(condition, "status", json!("True"));
        }
    }
    template(spec);
    let uid = &metadata["uid"];
    if spec["manualSelector"] == false && uid.is_string() {
        let labels = map_in(map_in(map_in(spec, "template"), "metadata"), "labels");
        for (label, value) in job_labels::of(uid, &metadata["name"]) {
            set_default(labels, label, value);
        }
        set_default(spec, "selector", json!({ "matchLabels": { job_labels::CONTROLLER_UID: uid } }));
    }
}

fn service(spec: &mut Value) {
    set_default(spec, "type", json!("ClusterIP"));
    set_default(spec, "sessionAffinity", json!("None"));
    if spec["type"] != "ExternalName" {
        set_default(spec, "internalTrafficPolicy", json!("Cluster"));
        set_default(spec, "ipFamilyPolicy", json!("SingleStack"));
        set_default(spec, "ipFamilies", json!(["IPv4"]));
    }
    for port in items_of(spec, "ports") {
        set_default(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        set_default(port, "targetPort", number);
    }
}

fn template(spec: &mut Value) {
    pod_spec(map_in(map_in(spec, "template"), "spec"));
}

fn pod_spec(spec: &mut Value) {
    set_default(spec, "restartPolicy", json!("Always"));
    set_default(spec, "terminationGracePeriodSeconds", json!(30));
    set_default(spec, "dnsPolicy", json!("ClusterFirst"));
    set_default(spec, "schedulerName", json!("default-scheduler"));
    set_default(spec, "securityContext", json!({}));
    if spec["serviceAccountName"].is_string() {
        let account = spec["serviceAccountName"].clone();
        set_default(spec, "serviceAccount", account);
    }
    for list in ["initContainers", "containers"] {
        items_of(spec, list).for_each(container);
    }
    for volume in items_of(spec, "volumes") {
        for source in ["configMap", "secret", "projected", "downwardAPI"] {
            if volume[source].is_object() {
                set_default(&mut volume[source], "defaultMode", json!(420));
            }
        }
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    set_default(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    set_default(container, "terminationMessagePath", json!("/dev/termination-log"));
    set_default(container, "terminationMessagePolicy", json!("File"));
    set_default(container, "resources", json!({}));
    for port in items_of(container, "ports") {
        set_default(port, "protocol", json!("TCP"));
    }
    for variable in items_of(container, "env") {
        if variable["valueFrom"]["fieldRef"].is_object() {
            set_default(&mut variable["valueFrom"]["fieldRef"], "apiVersion", json!("v1"));
        }
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = &mut container[probe];
        if !probe.is_object() {
            continue;
        }
        set_default(probe, "timeoutSeconds", json!(1));
        set_default(probe, "periodSeconds", json!(10));
        set_default(probe, "successThreshold", json!(1));
        set_default(probe, "failureThreshold", json!(3));
        if probe["httpGet"].is_object() {
            set_default(&mut probe["httpGet"], "path", json!("/"));
            set_default(&mut probe["httpGet"], "scheme", json!("HTTP"));
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
        for container in items_of(spec, list) {
            let limits = container["resources"]["limits"].clone();
            for (name, amount) in limits.as_object().into_iter().flatten() {
                set_default(map_in(&mut container["resources"], "requests"), name, amount.clone());
            }
        }
    }
}
