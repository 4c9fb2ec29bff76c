//! The rules for valid objects, beyond the types of their fields.

mod causes;
mod deployment;
mod names;
mod pod;
mod unchanged;

use serde_json::Value;

use crate::kinds::Kind;
use crate::object::schedule::Schedule;
use crate::refusal::Refusal;
use causes::{Causes, invalid, not_negative, required};

/// Refuses an invalid object. If it replaces the object `before`, also refuses changes of immutable fields.
pub(crate) fn validate(kind: &Kind, object: &Value, before: Option<&Value>) -> Result<(), Refusal> {
    let mut causes = Causes::new();
    names::metadata(kind, object, &mut causes);
    let spec = &object["spec"];
    match kind.kind {
        "Pod" => pod::spec(spec, "spec", &mut causes),
        "Deployment" => {
            workload(spec, &mut causes);
            deployment::spec(spec, &mut causes);
        }
        "ReplicaSet" => workload(spec, &mut causes),
        "StatefulSet" => {
            workload(spec, &mut causes);
            stateful_set(spec, &mut causes);
        }
        "HorizontalPodAutoscaler" => autoscaler(spec, &mut causes),
        "Job" => job(spec, "spec", &mut causes),
        "CronJob" => {
            cron_job(object, &mut causes);
            job(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", &mut causes);
        }
        "Service" => service(spec, &mut causes),
        "ConfigMap" => size(object, &["data", "binaryData"], &mut causes),
        "Secret" => size(object, &["data"], &mut causes),
        "RoleBinding" if object["roleRef"]["name"].as_str().is_none_or(str::is_empty) => {
            causes.push(required("roleRef.name"));
        }
        "Role" => {
            for (i, rule) in object["rules"].as_array().into_iter().flatten().enumerate() {
                if rule["verbs"].as_array().is_none_or(Vec::is_empty) {
                    causes.push((
                        format!("rules[{i}].verbs"),
                        "Required value: verbs must contain at least one value".into(),
                    ));
                }
            }
        }
        _ => {}
    }
    if let Some(before) = before {
        unchanged::check(kind, object, before, &mut causes);
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(kind, object["metadata"]["name"].as_str().unwrap_or_default(), &causes))
}

fn workload(spec: &Value, causes: &mut Causes) {
    not_negative(spec, "spec", &["replicas", "minReadySeconds", "revisionHistoryLimit"], causes);
    let pairs = spec["selector"]["matchLabels"].as_object();
    let by_expression = spec["selector"]["matchExpressions"].as_array().is_some_and(|all| !all.is_empty());
    let labels = &spec["template"]["metadata"]["labels"];
    match pairs {
        Some(pairs) if !pairs.is_empty() => {
            if pairs.iter().any(|(name, value)| labels[name] != *value) {
                let why = "`selector` does not match template `labels`";
                causes.push(invalid("spec.template.metadata.labels", labels, why));
            }
        }
        _ if by_expression => {
            let why = "this cluster supports only matchLabels".to_owned();
            causes.push(("spec.selector.matchExpressions".into(), why));
        }
        _ => causes.push(required("spec.selector")),
    }
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy != "Always" {
        let why = format!("Unsupported value: {policy}: supported values: \"Always\"");
        causes.push(("spec.template.spec.restartPolicy".into(), why));
    }
    pod::spec(&spec["template"]["spec"], "spec.template.spec", causes);
}

fn stateful_set(spec: &Value, causes: &mut Causes) {
    for (field, value, known) in [
        ("podManagementPolicy", &spec["podManagementPolicy"], ["OrderedReady", "Parallel"]),
        ("updateStrategy.type", &spec["updateStrategy"]["type"], ["RollingUpdate", "OnDelete"]),
    ] {
        if !known.iter().any(|known| value == known) {
            let why = format!("Unsupported value: {value}: supported values: {known:?}");
            causes.push((format!("spec.{field}"), why));
        }
    }
    not_negative(
        &spec["updateStrategy"]["rollingUpdate"],
        "spec.updateStrategy.rollingUpdate",
        &["partition"],
        causes,
    );
    if spec["volumeClaimTemplates"].as_array().is_some_and(|all| !all.is_empty()) {
        let why = "Forbidden: this cluster has no persistent volumes".to_owned();
        causes.push(("spec.volumeClaimTemplates".into(), why));
    }
}

fn autoscaler(spec: &Value, causes: &mut Causes) {
    for field in ["kind", "name"] {
        if spec["scaleTargetRef"][field].as_str().is_none_or(str::is_empty) {
            causes.push(required(&format!("spec.scaleTargetRef.{field}")));
        }
    }
    let (least, most) =
        (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64().unwrap_or(0));
    if most < 1 {
        causes.push(invalid("spec.maxReplicas", &spec["maxReplicas"], "must be greater than 0"));
    } else if least < 1 {
        causes.push(invalid("spec.minReplicas", &spec["minReplicas"], "must be greater than or equal to 1"));
    } else if most < least {
        let why = "must be greater than or equal to `minReplicas`";
        causes.push(invalid("spec.maxReplicas", &spec["maxReplicas"], why));
    }
}

fn job(spec: &Value, path: &str, causes: &mut Causes) {
    let numbers =
        ["parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished", "activeDeadlineSeconds"];
    not_negative(spec, path, &numbers, causes);
    if spec["completionMode"].as_str().is_some_and(|mode| mode != "NonIndexed") {
        let why = "Forbidden: this cluster runs only Jobs of the mode NonIndexed".to_owned();
        causes.push((format!("{path}.completionMode"), why));
    }
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy != "Never" && policy != "OnFailure" {
        // `Always` is the default, so the client has probably not set the field.
        let why = match policy.as_str() {
            Some("Always") => "Required value: valid values: \"OnFailure\", \"Never\"".into(),
            _ => format!("Unsupported value: {policy}: supported values: \"OnFailure\", \"Never\""),
        };
        causes.push((format!("{path}.template.spec.restartPolicy"), why));
    }
    pod::spec(&spec["template"]["spec"], &format!("{path}.template.spec"), causes);
}

fn cron_job(object: &Value, causes: &mut Causes) {
    // The names of its Jobs are eleven characters longer.
    if object["metadata"]["name"].as_str().is_some_and(|name| name.len() > 52) {
        let why = "must be no more than 52 characters";
        causes.push(invalid("metadata.name", &object["metadata"]["name"], why));
    }
    let spec = &object["spec"];
    let numbers = ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"];
    not_negative(spec, "spec", &numbers, causes);
    if let Err((field, why)) = Schedule::read(&spec["schedule"], &spec["timeZone"]) {
        causes.push(invalid(&format!("spec.{field}"), &spec[field], &why));
    }
    let policy = &spec["concurrencyPolicy"];
    if !["Allow", "Forbid", "Replace"].iter().any(|known| policy == *known) {
        let why =
            format!("Unsupported value: {policy}: supported values: \"Allow\", \"Forbid\", \"Replace\"");
        causes.push(("spec.concurrencyPolicy".into(), why));
    }
}

fn service(spec: &Value, causes: &mut Causes) {
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    if ports.is_empty() && spec["clusterIP"] != "None" && spec["type"] != "ExternalName" {
        causes.push(required("spec.ports"));
    }
    let types = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"];
    if !types.iter().any(|known| spec["type"] == *known) {
        let why = format!("Unsupported value: {}: supported values: {types:?}", spec["type"]);
        causes.push(("spec.type".into(), why));
    }
    for (i, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{i}]");
        pod::port_number(&port["port"], &format!("{path}.port"), causes);
        if ports.len() > 1 && port["name"].as_str().unwrap_or_default().is_empty() {
            causes.push(required(&format!("{path}.name")));
        }
        let is_duplicate = ports[..i].iter().any(|other| {
            other["port"] == port["port"] && other["protocol"] == port["protocol"]
                || !port["name"].is_null() && other["name"] == port["name"]
        });
        if is_duplicate {
            causes.push((path, format!("Duplicate value: {port}")));
        }
    }
}

/// Limits the size of all values together to 1 MiB, as Kubernetes does because of etcd.
fn size(object: &Value, fields: &[&str], causes: &mut Causes) {
    const LIMIT: usize = 1_048_576;
    let mut total = 0;
    for field in fields {
        for (key, value) in object[*field].as_object().into_iter().flatten() {
            if !names::is_file_name(key) {
                let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
                causes.push((format!("{field}[{key}]"), format!("Invalid value: {key:?}: {why}")));
            }
            let length = value.as_str().map_or(0, str::len);
            total += if *field == "data" && object["kind"] != "Secret" { length } else { length / 4 * 3 };
        }
    }
    if total > LIMIT {
        causes.push((String::new(), format!("Too long: may not be more than {LIMIT} bytes")));
    }
}
