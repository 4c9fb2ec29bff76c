//! The NetworkPolicies allow exactly the connections that docs/security.md lists.

use serde_json::{Value, json};

use super::super::{Overlay, job, objects};

/// The labels and the named ports of the pods that a Deployment or Job creates.
fn pod(kind: &str, name: &str) -> (Value, Vec<Value>) {
    let mut all = objects(Overlay::Kind, &[], None).unwrap();
    all.push(job(&[]).unwrap());
    let owner = all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name).unwrap();
    let template = &owner["spec"]["template"];
    let ports = template["spec"]["containers"][0]["ports"].as_array().cloned().unwrap_or_default();
    (template["metadata"]["labels"].clone(), ports)
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object().unwrap();
    assert_eq!(selector.as_object().unwrap().len(), 1, "this test knows only matchLabels: {selector}");
    wanted.iter().all(|(name, value)| labels[name] == *value)
}

/// Whether the policies for `labels` allow traffic in one direction with the peer. Without a policy for the
/// direction, everything is allowed.
fn allows(direction: &str, labels: &Value, peer: Option<&Value>, port: u64, ports: &[Value]) -> bool {
    let (rules, peers) = if direction == "Ingress" { ("ingress", "from") } else { ("egress", "to") };
    let policies = objects(Overlay::NetworkPolicy, &[], None).unwrap();
    let mine = policies.iter().map(|policy| &policy["spec"]).filter(|spec| {
        let types = spec["policyTypes"].as_array().unwrap();
        types.contains(&json!(direction)) && selects(&spec["podSelector"], labels)
    });
    let mine: Vec<_> = mine.collect();
    let is_port = |wanted: &Value| {
        let by_name = ports.iter().find(|one| one["name"] == wanted["port"]);
        wanted["port"] == port || by_name.is_some_and(|one| one["containerPort"] == port)
    };
    let rule_allows = |rule: &Value| {
        let is_peer = match rule[peers].as_array() {
            None => true,
            Some(all) => peer.is_some_and(|peer| all.iter().any(|one| selects(&one["podSelector"], peer))),
        };
        is_peer && rule["ports"].as_array().unwrap().iter().any(is_port)
    };
    mine.is_empty() || mine.iter().flat_map(|spec| spec[rules].as_array().unwrap()).any(rule_allows)
}

#[test]
fn the_policies_allow_what_each_pod_needs_and_nothing_else() {
    let pods = [
        ("master", pod("Deployment", "locust-master")),
        ("worker", pod("Deployment", "locust-worker")),
        ("driver", pod("Job", "locust-load-test-matrix")),
        ("stub", pod("Deployment", "inference")),
        ("stranger", (json!({ "app": "shop" }), vec![])),
    ];
    let mut allowed = Vec::new();
    for (from, (source, _)) in &pods {
        for (to, (target, ports)) in pods.iter().filter(|(to, _)| *to != "stranger") {
            for port in [80, 5557, 8000, 8089] {
                if allows("Egress", source, Some(target), port, ports)
                    && allows("Ingress", target, Some(source), port, ports)
                {
                    allowed.push(format!("{from} → {to}:{port}"));
                }
            }
        }
    }
    assert_eq!(
        allowed,
        ["worker → master:5557", "worker → stub:8000", "driver → master:8089", "driver → stub:8000"]
    );
    for (from, (source, _)) in &pods[..4] {
        let reaches = |port| allows("Egress", source, None, port, &[]);
        assert_eq!(reaches(53), *from != "stub", "{from} resolves names");
        assert_eq!(reaches(443) && reaches(6443), *from == "driver", "{from} and the API server");
        assert!(!reaches(80), "{from}");
    }
}
