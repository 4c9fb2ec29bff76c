//! The driver's permissions in a cluster, and what happens if one is missing.

use std::collections::BTreeSet;

use e2e::tool::{output_of, run};
use serde_json::{Value, json};

use e2e::kind::KeptCluster;

const ROLE: &str = "locust-driver-role";

/// `kubectl auth can-i --list` shows the rules of the Role, and otherwise only what everybody may do.
pub(crate) fn the_driver_may_do_what_its_role_says_and_no_more(cluster: &KeptCluster) {
    let list = |account: &str| -> BTreeSet<String> {
        let account = format!("--as=system:serviceaccount:{}:{account}", cluster.namespace);
        let lines = output_of(&mut cluster.kubectl(&["auth", "can-i", "--list", "--no-headers", &account]));
        lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let own: BTreeSet<String> = list("locust-driver").difference(&list("nobody")).cloned().collect();
    let mut expected = BTreeSet::from(["pods [] [] [get list watch delete]".to_owned()]);
    let mut allowed = |resource: &str, names: &[&str], verbs: &str| {
        expected.extend(names.iter().map(|name| format!("{resource} [] [{name}] [{verbs}]")));
    };
    allowed("deployments.apps", &["inference", "locust-master", "locust-worker"], "get list watch");
    allowed("deployments.apps/scale", &["inference", "locust-worker"], "get patch");
    allowed("statefulsets.apps", &["inference"], "get list watch");
    allowed("statefulsets.apps/scale", &["inference"], "get patch");
    let results: Vec<String> = (0..12).map(|number| format!("locust-load-test-results-{number}")).collect();
    let results: Vec<&str> = results.iter().map(String::as_str).collect();
    allowed("configmaps", &results, "get patch");
    allowed("leases.coordination.k8s.io", &["locust-load-test-matrix"], "get patch update");
    for (resource, verb) in [
        ("replicasets.apps", "get"),
        ("pods/log", "get"),
        ("events", "list"),
        ("horizontalpodautoscalers.autoscaling", "list"),
        ("scaledobjects.keda.sh", "list"),
    ] {
        expected.insert(format!("{resource} [] [] [{verb}]"));
    }
    assert_eq!(own, expected);
}

/// Without these rules, the driver tells less, and measures a Deployment all the same.
const NOT_NEEDED: [&str; 7] = [
    "statefulsets",
    "statefulsets/scale",
    "replicasets",
    "pods/log",
    "events",
    "horizontalpodautoscalers",
    "scaledobjects",
];

/// Without any rule that it needs, the driver ends with exit code 3 and names the missing permission.
pub(crate) fn each_missing_permission_is_named(cluster: &KeptCluster) {
    cluster.deploy();
    let matrix = cluster.settings("{replicas: [2], workers: [1], users: [1], duration: 1s, cooldown: 0s}");
    let role = output_of(&mut cluster.kubectl(&["get", "role", ROLE, "-o", "json"]));
    let rules = serde_json::from_str::<Value>(&role).unwrap()["rules"].clone();
    let set_rules = |rules: &Value| {
        let patch = json!({ "rules": rules }).to_string();
        output_of(&mut cluster.kubectl(&["patch", "role", ROLE, "--type=merge", "-p", &patch]));
    };
    let is_needed = |rule: &Value| !NOT_NEEDED.contains(&rule["resources"][0].as_str().unwrap());
    let needed: Vec<Value> =
        rules.as_array().unwrap().iter().filter(|rule| is_needed(rule)).cloned().collect();
    assert_eq!(needed.len(), rules.as_array().unwrap().len() - NOT_NEEDED.len());
    set_rules(&json!(needed));
    let ended = run(&mut cluster.driver_job(&matrix));
    assert_eq!(ended.code, Some(0), "without the rules that the driver does not need: {}", ended.err);
    for at in 0..needed.len() {
        let mut fewer = needed.clone();
        let missing = fewer.remove(at);
        set_rules(&json!(fewer));
        let ended = run(&mut cluster.driver_job(&matrix));
        assert_eq!(ended.code, Some(3), "without {missing}");
        let resource = missing["resources"][0].as_str().unwrap();
        let is_named = |line: &str| line.contains("permission is missing") && line.contains(resource);
        assert!(ended.err.lines().any(is_named), "without {missing}: {}", ended.err);
    }
    set_rules(&rules);
}
