//! Rules for pod specs.

use serde_json::Value;

use super::causes::{Causes, invalid, not_negative, required};
use super::names;
use crate::object::quantity::thousandths;

/// Checks a pod's spec at `path`.
pub(crate) fn spec(spec: &Value, path: &str, causes: &mut Causes) {
    not_negative(spec, path, &["terminationGracePeriodSeconds", "activeDeadlineSeconds"], causes);
    let policy = &spec["restartPolicy"];
    if !["Always", "OnFailure", "Never"].iter().any(|known| policy == *known) {
        let why =
            format!("Unsupported value: {policy}: supported values: \"Always\", \"OnFailure\", \"Never\"");
        causes.push((format!("{path}.restartPolicy"), why));
    }
    let volumes = items(spec, "volumes");
    check_names(volumes, &format!("{path}.volumes"), causes);
    if items(spec, "containers").is_empty() {
        causes.push(required(&format!("{path}.containers")));
    }
    if !items(spec, "initContainers").is_empty() {
        let why = "Forbidden: this cluster does not run init containers".to_owned();
        causes.push((format!("{path}.initContainers"), why));
    }
    for list in ["initContainers", "containers"] {
        check_names(items(spec, list), &format!("{path}.{list}"), causes);
        for (i, item) in items(spec, list).iter().enumerate() {
            container(item, volumes, &format!("{path}.{list}[{i}]"), causes);
        }
    }
}

fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Checks that every item has a valid name, and no two items have the same.
fn check_names(items: &[Value], path: &str, causes: &mut Causes) {
    for (i, item) in items.iter().enumerate() {
        let name = item["name"].as_str().unwrap_or_default();
        let path = format!("{path}[{i}].name");
        if name.is_empty() {
            causes.push(required(&path));
        } else if !names::is_label(name) {
            causes.push((path, names::label_problem(name)));
        } else if items[..i].iter().any(|other| other["name"] == name) {
            causes.push((path, format!("Duplicate value: {name:?}")));
        }
    }
}

fn container(container: &Value, volumes: &[Value], path: &str, causes: &mut Causes) {
    if container["image"].as_str().unwrap_or_default().trim().is_empty() {
        causes.push(required(&format!("{path}.image")));
    }
    for (i, port) in items(container, "ports").iter().enumerate() {
        port_number(&port["containerPort"], &format!("{path}.ports[{i}].containerPort"), causes);
    }
    for (i, variable) in items(container, "env").iter().enumerate() {
        if variable["name"].as_str().unwrap_or_default().is_empty() {
            causes.push(required(&format!("{path}.env[{i}].name")));
        }
    }
    for (i, mount) in items(container, "volumeMounts").iter().enumerate() {
        let path = format!("{path}.volumeMounts[{i}]");
        if mount["mountPath"].as_str().unwrap_or_default().is_empty() {
            causes.push(required(&format!("{path}.mountPath")));
        }
        let below = mount["subPath"].as_str().unwrap_or_default();
        for (wrong, why) in [
            (below.starts_with('/'), "must be a relative path"),
            (below.split('/').any(|part| part == ".."), "must not contain '..'"),
        ] {
            if wrong {
                causes.push(invalid(&format!("{path}.subPath"), &mount["subPath"], why));
            }
        }
        if !volumes.iter().any(|volume| volume["name"] == mount["name"]) {
            causes.push((format!("{path}.name"), format!("Not probe: {}", mount["name"])));
        }
    }
    for field in ["limits", "requests"] {
        for (name, amount) in container["resources"][field].as_object().into_iter().flatten() {
            if !amount.as_str().is_some_and(is_quantity) {
                let why = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
                causes.push(invalid(&format!("{path}.resources.{field}.{name}"), amount, why));
            } else if thousandths(amount).is_some_and(|amount| amount < 0) {
                let why = "must be greater than or equal to 0";
                causes.push(invalid(&format!("{path}.resources.{field}.{name}"), amount, why));
            }
        }
    }
    for (name, request) in container["resources"]["requests"].as_object().into_iter().flatten() {
        let limit = &container["resources"]["limits"][name];
        if thousandths(limit).is_some_and(|limit| thousandths(request).is_some_and(|request| request > limit))
        {
            let why = format!(
                "must be less than or equal to {name} limit of {}",
                limit.as_str().unwrap_or_default()
            );
            causes.push(invalid(&format!("{path}.resources.requests"), request, &why));
        }
    }
    for name in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = &container[name];
        let path = format!("{path}.{name}");
        if probe.is_null() {
            continue;
        }
        let handlers = ["httpGet", "tcpSocket", "exec", "grpc"];
        if !handlers.iter().any(|handler| probe[*handler].is_object()) {
            causes.push((path.clone(), "Required value: must specify a handler type".into()));
        }
        let secure = probe["httpGet"]["scheme"].as_str().is_some_and(|scheme| scheme != "HTTP");
        if secure || probe["grpc"].is_object() {
            let why = "Forbidden: this cluster has no HTTPS and gRPC probes, only HTTP, TCP and exec";
            causes.push((path.clone(), why.into()));
        }
        let numbers = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "failureThreshold"];
        not_negative(probe, &path, &numbers, causes);
    }
}

/// Checks a port number at `path`.
pub(crate) fn port_number(port: &Value, path: &str, causes: &mut Causes) {
    match port.as_i64() {
        None => causes.push(required(path)),
        Some(1..=65_535) => {}
        Some(_) => causes.push(invalid(path, port, "must be between 1 and 65535, inclusive")),
    }
}

fn is_quantity(text: &str) -> bool {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    let (digits, suffix) = number.split_at(end);
    let exponent =
        |text: &str| text.strip_prefix(['e', 'E']).is_some_and(|power| power.parse::<i32>().is_ok());
    let suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    digits.parse::<f64>().is_ok() && (suffixes.contains(&suffix) || exponent(suffix))
}
