//! What the driver may do in a cluster, and what happens where it may not.

use std::collections::BTreeSet;

use e2e::tool::{must, run};

use crate::kept::{Kept, settings};

/// `kubectl auth can-i --list` beside the Role's own rules: what everybody may is all that comes on top.
pub(crate) fn are_those_of_the_role_and_no_other(kept: &Kept<'_>) {
    let driver = "--as=system:serviceaccount:default:locust-driver";
    let nobody = "--as=system:serviceaccount:default:nobody";
    let list = |who| -> BTreeSet<String> {
        let lines = must(&mut kept.kubectl(&["auth", "can-i", "--list", "--no-headers", who]));
        lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let own: BTreeSet<String> = list(driver).difference(&list(nobody)).cloned().collect();
    let mut expected = BTreeSet::from(["pods [] [] [get list watch delete]".to_owned()]);
    let mut allowed = |resource: &str, names: &[&str], verbs: &str| {
        expected.extend(names.iter().map(|name| format!("{resource} [] [{name}] [{verbs}]")));
    };
    allowed("deployments.apps", &["inference", "locust-master", "locust-worker"], "get list watch");
    allowed("deployments.apps/scale", &["inference", "locust-worker"], "get patch");
    let results = [0, 1, 2, 3].map(|shard| format!("locust-load-test-results-{shard}"));
    allowed("configmaps", &results.each_ref().map(String::as_str), "get patch");
    allowed("leases.coordination.k8s.io", &["locust-load-test-matrix"], "get patch update");
    assert_eq!(own, expected);
}

/// The driver's Role without any one of its rules: the run ends 3 and says which permission is missing.
pub(crate) fn a_missing_one_is_named(kept: &Kept<'_>) {
    let matrix =
        settings(kept.folder, "{replicas: [2], workers: [1], users: [1], duration: 1s, cooldown: 0s}");
    let role = must(&mut kept.kubectl(&["get", "role", "locust-driver-role", "-o", "json"]));
    let rules = serde_json::from_str::<serde_json::Value>(&role).unwrap()["rules"].clone();
    let patch = |rules: &serde_json::Value| {
        let patch = serde_json::json!({ "rules": rules }).to_string();
        must(&mut kept.kubectl(&["patch", "role", "locust-driver-role", "--type=merge", "-p", &patch]));
    };
    for at in 0..rules.as_array().unwrap().len() {
        let mut fewer = rules.clone();
        let missing = fewer.as_array_mut().unwrap().remove(at);
        patch(&fewer);
        let ended = run(&mut kept.job(&matrix));
        assert_eq!(ended.code, Some(3), "without {missing}");
        let resource = missing["resources"][0].as_str().unwrap();
        let named = |line: &str| line.contains("permission is missing") && line.contains(resource);
        assert!(ended.err.lines().any(named), "without {missing}: {}", ended.err);
    }
    patch(&rules);
}
