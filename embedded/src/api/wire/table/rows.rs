//! The cells of an object's row.

use serde_json::{Value, json};

use super::age::{age, between};
use super::pod;
use crate::kinds::Kind;
use crate::object::conditions;

const NONE: &str = "<none>";

pub(crate) fn cells(kind: &Kind, object: &Value) -> Vec<Value> {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    let name = &metadata["name"];
    let age_cell = age(&metadata["creationTimestamp"]);
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    let mut cells = match kind.kind {
        "Pod" => {
            let (ready, status_cell, restarts) = pod::state(object);
            let (ip, node) = (or_none(&status["podIP"]), or_none(&spec["nodeName"]));
            json!([name, ready, status_cell, restarts, age_cell, ip, node, NONE, NONE])
        }
        "Deployment" => json!([
            name,
            format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"])),
            number(&status["updatedReplicas"]),
            number(&status["availableReplicas"]),
            age_cell,
        ]),
        "ReplicaSet" => json!([
            name,
            number(&spec["replicas"]),
            number(&status["replicas"]),
            number(&status["readyReplicas"]),
            age_cell,
        ]),
        "StatefulSet" => json!([
            name,
            format!("{}/{}", number(&status["readyReplicas"]), number(&spec["replicas"])),
            age_cell,
        ]),
        "HorizontalPodAutoscaler" => {
            let target = &spec["scaleTargetRef"];
            let target = format!("{}/{}", text(&target["kind"]), text(&target["name"]));
            json!([name, target, number(&spec["minReplicas"]), number(&spec["maxReplicas"]), age_cell])
        }
        "Job" => job(object, &age_cell),
        "CronJob" => json!([
            name,
            spec["schedule"],
            or_none(&spec["timeZone"]),
            if spec["suspend"] == true { "True" } else { "False" },
            count(&status["active"]),
            between(&status["lastScheduleTime"], None).unwrap_or_else(|| NONE.into()),
            age_cell,
        ]),
        "Service" => json!([
            name,
            spec["type"],
            or_none(&spec["clusterIP"]),
            NONE,
            service_ports(&spec["ports"]),
            age_cell,
            format_map(&spec["selector"]),
        ]),
        "EndpointSlice" => json!([
            name,
            object["addressType"],
            join(&object["ports"], |port| port["port"].to_string()),
            join(&object["endpoints"], |endpoint| join(&endpoint["addresses"], text)),
            age_cell,
        ]),
        "ConfigMap" => json!([name, count(&object["data"]) + count(&object["binaryData"]), age_cell]),
        "Secret" => json!([name, object["type"], count(&object["data"]), age_cell]),
        "Role" => json!([name, metadata["creationTimestamp"]]),
        "RoleBinding" => {
            let role = &object["roleRef"];
            let shown = format!("{}/{}", text(&role["kind"]), text(&role["name"]));
            json!([
                name,
                shown,
                age_cell,
                subjects(object, "User"),
                subjects(object, "Group"),
                subjects(object, "ServiceAccount")
            ])
        }
        "Lease" => json!([name, text(&spec["holderIdentity"]), age_cell]),
        "Namespace" => json!([name, text(&status["phase"]), age_cell]),
        "Node" => node(object, &age_cell),
        "Event" => event(object),
        _ => json!([name, age_cell]),
    };
    let template = match kind.kind {
        "Deployment" | "ReplicaSet" | "Job" => Some((&spec["template"], &spec["selector"]["matchLabels"])),
        "CronJob" => Some((&spec["jobTemplate"]["spec"]["template"], &Value::Null)),
        "StatefulSet" => Some((&spec["template"], &Value::Null)),
        _ => None,
    };
    if let (Some((template, selector)), Some(cells)) = (template, cells.as_array_mut()) {
        let containers = &template["spec"]["containers"];
        cells.push(json!(join(containers, |container| text(&container["name"]))));
        cells.push(json!(join(containers, |container| text(&container["image"]))));
        if kind.kind != "StatefulSet" {
            cells.push(json!(format_map(selector)));
        }
    }
    match cells {
        Value::Array(cells) => cells,
        other => vec![other],
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn or_none(value: &Value) -> String {
    value.as_str().unwrap_or(NONE).into()
}

fn count(value: &Value) -> usize {
    value.as_object().map_or_else(|| value.as_array().map_or(0, Vec::len), serde_json::Map::len)
}

fn join(list: &Value, show: impl Fn(&Value) -> String) -> String {
    let shown: Vec<String> = list.as_array().into_iter().flatten().map(show).collect();
    if shown.is_empty() { "<unset>".into() } else { shown.join(",") }
}

fn format_map(map: &Value) -> String {
    let pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    if pairs.is_empty() { NONE.into() } else { pairs.join(",") }
}

fn service_ports(ports: &Value) -> String {
    let shown: Vec<String> = ports
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| match port["nodePort"].as_i64() {
            Some(node) => format!("{}:{node}/{}", port["port"], text(&port["protocol"])),
            None => format!("{}/{}", port["port"], text(&port["protocol"])),
        })
        .collect();
    if shown.is_empty() { NONE.into() } else { shown.join(",") }
}

fn subjects(binding: &Value, kind: &str) -> String {
    let subjects = binding["subjects"].as_array().into_iter().flatten();
    let shown: Vec<String> = subjects
        .filter(|subject| subject["kind"] == kind)
        .map(|subject| match subject["namespace"].as_str() {
            Some(namespace) => format!("{namespace}/{}", text(&subject["name"])),
            None => text(&subject["name"]),
        })
        .collect();
    shown.join(", ")
}

fn job(object: &Value, age_cell: &str) -> Value {
    let (spec, status) = (&object["spec"], &object["status"]);
    let is = |name: &str| conditions::is_true(object, name);
    let status_cell = if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if object["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else {
        "Running"
    };
    let done = status["succeeded"].as_i64().unwrap_or_default();
    let wanted = spec["completions"].as_i64().unwrap_or(1);
    let ended = Some(&status["completionTime"]).filter(|time| time.is_string());
    let duration = between(&status["startTime"], ended).unwrap_or_default();
    json!([object["metadata"]["name"], status_cell, format!("{done}/{wanted}"), duration, age_cell])
}

fn node(object: &Value, age_cell: &str) -> Value {
    let status = &object["status"];
    let info = &status["nodeInfo"];
    let ready = conditions::of_object(object, "Ready");
    let status_cell = match ready.and_then(|ready| ready["status"].as_str()) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordon = if object["spec"]["unschedulable"] == true { ",SchedulingDisabled" } else { "" };
    let status_cell = format!("{status_cell}{cordon}");
    let labels = object["metadata"]["labels"].as_object();
    let roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(label, _)| label.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let addresses = status["addresses"].as_array();
    let internal = addresses
        .into_iter()
        .flatten()
        .find(|address| address["type"] == "InternalIP")
        .map(|found| text(&found["address"]));
    json!([
        object["metadata"]["name"],
        status_cell,
        if roles.is_empty() { NONE.to_owned() } else { roles.join(",") },
        age_cell,
        text(&info["kubeletVersion"]),
        internal.unwrap_or_else(|| NONE.into()),
        NONE,
        or_none(&info["osImage"]),
        or_none(&info["kernelVersion"]),
        or_none(&info["containerRuntimeVersion"]),
    ])
}

fn event(object: &Value) -> Value {
    let about = &object["involvedObject"];
    let first_of = |fields: &[&str]| {
        fields.iter().map(|field| &object[*field]).find(|time| time.is_string()).cloned().unwrap_or_default()
    };
    let last = first_of(&["lastTimestamp", "eventTime", "firstTimestamp"]);
    let first = first_of(&["firstTimestamp", "eventTime"]);
    json!([
        age(&last),
        object["type"],
        object["reason"],
        format!("{}/{}", text(&about["kind"]).to_lowercase(), text(&about["name"])),
        text(&object["message"]).trim(),
        text(&about["fieldPath"]),
        text(&object["source"]["component"]),
        age(&first),
        object["count"].as_i64().unwrap_or(1),
        object["metadata"]["name"],
    ])
}
