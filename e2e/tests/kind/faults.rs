//! Faults of a cluster while a matrix runs. Each ends with its exit code, its message and, if a scenario
//! was reached, its record.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use e2e::results::{
    Span, Verdict, assert_all_valid, attempt, attempts, counts, only_record, only_run, verdict_of,
};
use e2e::tool::{Running, output_of, run};

use e2e::kind::{KeptCluster, LOCUST};

const INFERENCE: &str = "deployment/inference";
const MASTER: &str = "deployment/locust-master";
const WORKER: &str = "deployment/locust-worker";
const MATRIX: &str = "{replicas: [2], workers: [1], users: [2], duration: 1s, cooldown: 0s, \
                      timeouts: {master: 1m, ready: 2m, workers: 15s}}";
/// A window that lasts long enough for a fault in it.
const LONG: &str = "{replicas: [1], workers: [2], users: [4], duration: 10s, max_duration: 30s, cooldown: 0s, \
                    spawn_rate: 20}";
const NOT_ONE_WORKER: &str = "Locust does not list exactly 1 idle worker after";

/// Runs the matrix, which must end with this code and message. Returns the results.
fn assert_run_ends(cluster: &KeptCluster, fault: &str, code: i32, message: &str) -> PathBuf {
    assert_ends(cluster, MATRIX, fault, code, message)
}

fn assert_ends(cluster: &KeptCluster, matrix: &str, fault: &str, code: i32, message: &str) -> PathBuf {
    let matrix = cluster.settings(matrix);
    let results = cluster.folder.join(fault);
    let ended = run(&mut cluster.driver_run(&matrix, &results));
    assert_eq!(ended.code, Some(code), "{fault}: {}", ended.err);
    assert!(ended.err.contains(message), "{fault}: {}", ended.err);
    results
}

/// The node has room for one replica, not for two: the driver knows at once, not after a timeout.
pub(crate) fn a_replica_without_room_is_infeasible(cluster: &KeptCluster) {
    output_of(&mut cluster.kubectl(&["set", "resources", INFERENCE, "--requests=cpu=600m"]));
    cluster.wait_for_rollout(INFERENCE);
    let run = only_run(&assert_run_ends(cluster, "infeasible", 5, "INFEASIBLE"));
    let record = only_record(&run);
    let Verdict { status, reasons } = verdict_of(&run, &record);
    assert_eq!(status, "INFEASIBLE");
    assert!(reasons.contains("Insufficient cpu"), "{reasons}");
    assert_eq!(counts(&record, Span::Window), None, "nothing was measured: {record}");
    output_of(&mut cluster.kubectl(&["set", "resources", INFERENCE, "--requests=cpu=50m"]));
    cluster.wait_for_rollout(INFERENCE);
}

/// The stub ends at once because it does not understand its settings.
pub(crate) fn a_crashing_replica_is_a_failure(cluster: &KeptCluster) {
    output_of(&mut cluster.kubectl(&["set", "env", INFERENCE, "FAKE_INFERENCE_CONCURRENCY=none"]));
    let run = only_run(&assert_run_ends(cluster, "crashing", 5, "crashes again and again"));
    assert_eq!(verdict_of(&run, &only_record(&run)).status, "FAILED");
    output_of(&mut cluster.kubectl(&["set", "env", INFERENCE, "FAKE_INFERENCE_CONCURRENCY=4"]));
    cluster.wait_for_rollout(INFERENCE);
}

/// Somebody else's worker connects to our master: nobody would know its share of the load.
pub(crate) fn a_foreign_worker_is_refused(cluster: &KeptCluster) {
    let script = "printf 'import locust\\nclass U(locust.HttpUser):\\n  pass\\n' > /tmp/l.py && \
                  locust --worker --master-host locust-master -f /tmp/l.py";
    let image = format!("--image={LOCUST}");
    // As the namespace demands of every pod.
    let restricted = r#"{"spec": {
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "stray", "securityContext":
            {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}"#;
    let overrides = ["--override-type=strategic", "--overrides", restricted];
    let start = ["run", "stray", &image, "--restart=Never"];
    let command = ["--command", "--", "sh", "-c", script];
    output_of(&mut cluster.kubectl(&[&start[..], &overrides, &command].concat()));
    output_of(&mut cluster.kubectl(&["wait", "--for=condition=Ready", "pod/stray", "--timeout=60s"]));
    assert_run_ends(cluster, "foreign-worker", 4, NOT_ONE_WORKER);
    output_of(&mut cluster.kubectl(&["delete", "pod", "stray", "--now"]));
}

/// Workers that connect to a port where nobody listens run, but Locust's master does not list them.
pub(crate) fn workers_that_do_not_connect_end_the_run(cluster: &KeptCluster) {
    let connect_to = |port: &str| {
        let path = "/spec/template/spec/containers/0/args/4";
        let patch = format!(r#"[{{"op": "replace", "path": "{path}", "value": "{port}"}}]"#);
        output_of(&mut cluster.kubectl(&["patch", WORKER, "--type=json", "-p", &patch]));
        cluster.wait_for_rollout(WORKER);
    };
    connect_to("5999");
    assert_run_ends(cluster, "unconnected", 4, NOT_ONE_WORKER);
    connect_to("5557");
}

pub(crate) fn a_missing_master_ends_the_run(cluster: &KeptCluster) {
    output_of(&mut cluster.kubectl(&["scale", MASTER, "--replicas=0"]));
    output_of(&mut cluster.kubectl(&["wait", "--for=delete", "pod", "-l", "role=master", "--timeout=60s"]));
    let impatient = MATRIX.replace("master: 1m", "master: 4s");
    assert_ends(cluster, &impatient, "missing-master", 4, "Locust's master does not answer");
    output_of(&mut cluster.kubectl(&["scale", MASTER, "--replicas=1"]));
    cluster.wait_for_rollout(MASTER);
}

/// The fault strikes in the window of the only scenario. Its first attempt must be VOID for this reason, whether the
/// driver runs outside of the cluster or in a Job, and its second one valid.
fn assert_measured_again(cluster: &KeptCluster, name: &str, fault: impl Fn(), reason: &str) {
    let matrix = cluster.settings(LONG);
    let results = cluster.folder.join(name);
    for (mode, mut command) in
        [("outside", cluster.driver_run(&matrix, &results)), ("job", cluster.driver_job(&matrix))]
    {
        let mut running = Running::start(&mut command);
        running.await_line("RPS:", Duration::from_mins(2));
        fault();
        let ended = running.finish();
        assert_eq!(ended.code, Some(0), "{name}, {mode}: {}", ended.err);
        let told = ended.err.lines().find(|line| line.contains("VOID, once more: "));
        assert!(told.is_some_and(|told| told.contains(reason)), "{name}, {mode}: {}", ended.err);
        assert!(!ended.err.contains("short of CPU"), "{name}, {mode}: {}", ended.err);
    }
    let run = only_run(&results);
    assert_eq!(attempts(&run).iter().map(attempt).collect::<Vec<_>>(), [1, 2]);
    assert_all_valid(&run, 1);
}

/// As the kernel kills a process that uses too much memory.
pub(crate) fn a_killed_worker_costs_one_attempt(cluster: &KeptCluster) {
    let kill = "for p in /proc/[0-9]*; do \
                if tr '\\0' ' ' < $p/cmdline | grep -q -- '[-]-worker'; then kill -KILL ${p#/proc/}; exit; fi; done";
    let kill = || drop(output_of(&mut cluster.kubectl(&["exec", WORKER, "--", "sh", "-c", kill])));
    assert_measured_again(cluster, "killed-worker", kill, "restarted");
}

pub(crate) fn a_deleted_master_costs_one_attempt(cluster: &KeptCluster) {
    let delete = || {
        let delete = ["delete", "pod", "-l", "role=master", "--wait=false"];
        output_of(&mut cluster.kubectl(&delete));
    };
    assert_measured_again(cluster, "deleted-master", delete, "");
}

/// The node stands still for 20 s, as in a live migration.
pub(crate) fn a_paused_node_costs_one_attempt(cluster: &KeptCluster) {
    let node = cluster.node();
    let pause = || {
        output_of(Command::new("docker").args(["pause", &node]));
        std::thread::sleep(Duration::from_secs(20));
        output_of(Command::new("docker").args(["unpause", &node]));
    };
    assert_measured_again(cluster, "paused-node", pause, "");
}
