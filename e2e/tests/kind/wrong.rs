//! What can be wrong with a cluster while a matrix runs.

use e2e::results::{only_run, records};
use e2e::tool::{must, run};

use crate::kept::{Kept, settings};

/// What can be wrong with a cluster, each with its exit code, its message and, where a scenario was
/// reached, its record.
pub(crate) fn turns_end_with_their_codes(kept: &Kept<'_>) {
    let text = "{replicas: [2], workers: [1], users: [2], duration: 1s, cooldown: 0s, \
                timeouts: {master: 4s, ready: 2m, workers: 15s}}";
    let matrix = settings(kept.folder, text);
    let sweep = |case: &str, code: i32, words: &str| {
        let results = kept.folder.join(case);
        let ended = run(&mut kept.sweep(&matrix, &results));
        assert_eq!(ended.code, Some(code), "{case}: {}", ended.err);
        assert!(ended.err.contains(words), "{case}: {}", ended.err);
        (code == 5).then(|| records(&only_run(&results)).remove(0))
    };
    let inference = "deployment/inference";

    // A replica more than the node has room for: known at once, not after a timeout.
    must(&mut kept.kubectl(&["set", "resources", inference, "--requests=cpu=600m"]));
    must(&mut kept.kubectl(&["rollout", "status", inference, "--timeout=60s"]));
    let record = sweep("infeasible", 5, "INFEASIBLE").unwrap();
    assert!(record["verdict"]["reasons"][0].as_str().unwrap().contains("Insufficient cpu"), "{record}");
    assert!(record["window"].is_null(), "nothing was measured: {record}");
    must(&mut kept.kubectl(&["set", "resources", inference, "--requests=cpu=50m"]));

    must(&mut kept.kubectl(&["set", "env", inference, "FAKE_INFERENCE_CONCURRENCY=none"]));
    let record = sweep("crashing", 5, "crashes again and again").unwrap();
    assert_eq!(record["verdict"]["judgement"], "FAILED");
    must(&mut kept.kubectl(&["set", "env", inference, "FAKE_INFERENCE_CONCURRENCY=4"]));
    must(&mut kept.kubectl(&["rollout", "status", inference, "--timeout=60s"]));

    // A worker of somebody else's on our master: its share of the load would be nobody's.
    let stray = "printf 'import locust\\nclass U(locust.HttpUser):\\n  pass\\n' > /tmp/l.py && \
                 locust --worker --master-host locust-master -f /tmp/l.py";
    let image = "--image=locustio/locust:2.47.0";
    let command = ["run", "stray", image, "--restart=Never", "--command", "--", "sh", "-c", stray];
    must(&mut kept.kubectl(&command));
    must(&mut kept.kubectl(&["wait", "--for=condition=Ready", "pod/stray", "--timeout=60s"]));
    sweep("stray", 4, "Locust does not list exactly 1 idle workers");
    must(&mut kept.kubectl(&["delete", "pod", "stray", "--now"]));

    // Workers that ask at a port where nobody is: they run, and never connect.
    let ask_at = |port: &str| {
        let path = "/spec/template/spec/containers/0/args/4";
        let patch = format!(r#"[{{"op": "replace", "path": "{path}", "value": "{port}"}}]"#);
        must(&mut kept.kubectl(&["patch", "deployment/locust-worker", "--type=json", "-p", &patch]));
        kept.rolled_out("deployment/locust-worker");
    };
    ask_at("5999");
    sweep("unconnected", 4, "Locust does not list exactly 1 idle workers");
    ask_at("5557");

    must(&mut kept.kubectl(&["scale", "deployment/locust-master", "--replicas=0"]));
    must(&mut kept.kubectl(&["wait", "--for=delete", "pod", "-l", "role=master", "--timeout=60s"]));
    sweep("silent", 4, "Locust's master does not answer");
    must(&mut kept.kubectl(&["scale", "deployment/locust-master", "--replicas=1"]));
    must(&mut kept.kubectl(&["rollout", "status", "deployment/locust-master", "--timeout=60s"]));
}
