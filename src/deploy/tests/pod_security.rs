//! Every pod of the manifests meets the pod security standard `restricted`.

use serde_json::{Value, json};

use super::super::{bundle, kustomize};

/// The kustomizations that have pods. Each file with pods is in one of them.
const FOLDERS: [&str; 6] = [".", "kind", "stub", "weekly", "job", "job-simple"];

/// Why a pod does not meet the standard. The rules are those of its version 1.34.
fn violations(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut require = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        require(!is_true(&spec[field]), field.to_owned());
    }
    require(spec["securityContext"]["sysctls"].is_null(), "sysctls".to_owned());
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        const ALLOWED: [&str; 8] = [
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "persistentVolumeClaim",
            "projected",
            "secret",
        ];
        let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        require(kinds.clone().all(|kind| ALLOWED.contains(&kind.as_str())), format!("volume {volume}"));
    }
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    for container in lists.iter().filter_map(|list| spec[*list].as_array()).flatten() {
        let (pod, own) = (&spec["securityContext"], &container["securityContext"]);
        // A container's own value comes before the pod's.
        let value = |field: &str| if own[field].is_null() { &pod[field] } else { &own[field] };
        let name = container["name"].as_str().unwrap();
        let mut require = |holds: bool, what: &str| require(holds, format!("{name}: {what}"));
        require(is_true(value("runAsNonRoot")), "runAsNonRoot");
        require(*value("runAsUser") != 0, "runAsUser");
        let profile = &value("seccompProfile")["type"];
        require(*profile == "RuntimeDefault" || *profile == "Localhost", "seccompProfile");
        require(own["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation");
        require(!is_true(&own["privileged"]), "privileged");
        let capabilities = &own["capabilities"];
        let dropped = capabilities["drop"].as_array().is_some_and(|all| all.contains(&json!("ALL")));
        require(dropped, "capabilities.drop");
        let added = capabilities["add"].as_array().into_iter().flatten();
        require(added.clone().all(|one| one == "NET_BIND_SERVICE"), "capabilities.add");
        let profile = own["procMount"].is_null() || own["procMount"] == "Default";
        require(profile, "procMount");
        for context in [pod, own] {
            require(context["seLinuxOptions"].is_null(), "seLinuxOptions");
            require(!is_true(&context["windowsOptions"]["hostProcess"]), "hostProcess");
            require(context["appArmorProfile"]["type"] != "Unconfined", "appArmorProfile");
        }
        let ports = container["ports"].as_array().into_iter().flatten();
        require(ports.clone().all(|port| port["hostPort"].is_null() || port["hostPort"] == 0), "hostPort");
        for handler in ["livenessProbe", "readinessProbe", "startupProbe"] {
            for action in ["httpGet", "tcpSocket"] {
                require(container[handler][action]["host"].is_null(), "host of a probe");
            }
        }
    }
    found
}

fn is_true(value: &Value) -> bool {
    *value == true
}

/// The specs of all pods in `value`, at any depth.
fn pods<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) if fields.get("containers").is_some_and(Value::is_array) => found.push(value),
        Value::Object(fields) => fields.values().for_each(|field| pods(field, found)),
        Value::Array(items) => items.iter().for_each(|item| pods(item, found)),
        _ => {}
    }
}

#[test]
fn every_pod_of_every_overlay_meets_the_restricted_standard() {
    let mut checked = 0;
    for folder in FOLDERS {
        let objects = json!(kustomize::build(&bundle::read, folder).unwrap());
        let mut specs = Vec::new();
        pods(&objects, &mut specs);
        assert!(!specs.is_empty(), "{folder}");
        for spec in specs {
            assert_eq!(violations(spec), [""; 0], "{folder}: {spec}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2 + 3 + 1 + 1 + 1 + 1, "master, worker, stub, and the driver of three manifests");
}

#[test]
fn no_file_with_pods_is_left_out() {
    let files = bundle::paths().filter(|path| bundle::read(path).unwrap().contains("\n      containers:"));
    let folders = |path: &str| path.split('/').next().unwrap().replace("base", ".");
    for path in files {
        assert!(FOLDERS.contains(&folders(path).as_str()), "{path}");
    }
}

#[test]
fn a_pod_that_breaks_a_rule_is_found() {
    let objects = json!(kustomize::build(&bundle::read, "stub").unwrap());
    let mut specs = Vec::new();
    pods(&objects, &mut specs);
    let container = "/containers/0/securityContext";
    for (path, value, expected) in [
        ("/hostNetwork", json!(true), "hostNetwork"),
        ("/hostPID", json!(true), "hostPID"),
        ("/securityContext/runAsNonRoot", json!(null), "inference: runAsNonRoot"),
        ("/securityContext/runAsUser", json!(0), "inference: runAsUser"),
        ("/securityContext/seccompProfile", json!({ "type": "Unconfined" }), "inference: seccompProfile"),
        ("/securityContext/sysctls", json!([{ "name": "x" }]), "sysctls"),
        ("/containers/0/securityContext/runAsNonRoot", json!(false), "inference: runAsNonRoot"),
        (
            "/containers/0/securityContext/allowPrivilegeEscalation",
            json!(null),
            "inference: allowPrivilegeEscalation",
        ),
        ("/containers/0/securityContext/privileged", json!(true), "inference: privileged"),
        (
            "/containers/0/securityContext/capabilities",
            json!({ "drop": ["CHOWN"] }),
            "inference: capabilities.drop",
        ),
        ("/containers/0/ports/0/hostPort", json!(80), "inference: hostPort"),
        ("/volumes/0", json!({ "name": "x", "hostPath": {} }), r#"volume {"hostPath":{},"name":"x"}"#),
    ] {
        let mut spec = specs[0].clone();
        assert!(spec.pointer(container).is_some());
        let (parent, field) = path.rsplit_once('/').unwrap();
        let parent = spec.pointer_mut(parent).unwrap();
        match parent.as_array_mut() {
            Some(items) => items[field.parse::<usize>().unwrap()] = value,
            None => parent[field] = value,
        }
        assert_eq!(violations(&spec), [expected], "{path}");
    }
}
