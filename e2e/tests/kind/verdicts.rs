//! Each verdict, provoked by what causes it.

use std::time::Duration;

use e2e::results::{Verdict, assert_all_valid, attempt, attempts, only_record, only_run, verdict_of};
use e2e::tool::{Running, output_of, run, say};
use serde_json::{Value, json};

use e2e::kind::KeptCluster;

const INFERENCE: &str = "deployment/inference";
const WORKERS: &str = "deployment/locust-worker";

/// Ends with 0 as soon as the Service has led to a pod five times in a row.
const ROUTED: &str = "
import sys, time, urllib.request

end, answers = time.time() + 30, 0
while answers < 5 and time.time() < end:
    try:
        urllib.request.urlopen('http://inference:8000/healthz', timeout=1).read()
        answers += 1
    except OSError:
        answers = 0
        time.sleep(0.2)
sys.exit(answers < 5)
";

/// Variables of the stub that a test has set, to be restored at its end.
pub(crate) struct StubVariables<'a> {
    cluster: &'a KeptCluster,
    pairs: Vec<String>,
}

impl<'a> StubVariables<'a> {
    /// Sets them and waits for the rollout.
    pub(crate) fn set(cluster: &'a KeptCluster, variables: &[(&str, &str)]) -> Self {
        let pairs = variables.iter().map(|(name, value)| format!("FAKE_INFERENCE_{name}={value}")).collect();
        let stub = Self { cluster, pairs };
        stub.apply(&stub.pairs);
        stub
    }

    fn apply(&self, words: &[String]) {
        let mut arguments = vec!["set", "env", INFERENCE];
        arguments.extend(words.iter().map(String::as_str));
        output_of(&mut self.cluster.kubectl(&arguments));
        self.cluster.wait_for_rollout(INFERENCE);
        // A node that is busy may send connections to the replaced pod for some seconds more. A driver outside of the
        // cluster cannot see that, and its users would wait for their connections a minute long.
        output_of(&mut self.cluster.kubectl(&[
            "exec",
            "deployment/locust-master",
            "--",
            "python3",
            "-c",
            ROUTED,
        ]));
    }

    /// Restores the manifests' values, and removes variables that the manifests do not have.
    pub(crate) fn restore(&self) {
        let restored = self.pairs.iter().map(|pair| match pair.split_once('=') {
            Some(("FAKE_INFERENCE_SERVICE_MS", _)) => "FAKE_INFERENCE_SERVICE_MS=100".to_owned(),
            Some(("FAKE_INFERENCE_CONCURRENCY", _)) => "FAKE_INFERENCE_CONCURRENCY=4".to_owned(),
            Some((name, _)) => format!("{name}-"),
            None => pair.clone(),
        });
        self.apply(&restored.collect::<Vec<_>>());
    }
}

/// A scenario that was run: its verdict, and what the driver printed.
struct Outcome {
    verdict: Verdict,
    printed: String,
}

/// Runs one scenario from outside the cluster.
fn run_scenario(cluster: &KeptCluster, case: &str, code: i32, text: &str) -> Outcome {
    let matrix = cluster.settings(text);
    let results = cluster.folder.join(case);
    let ended = run(&mut cluster.driver_run(&matrix, &results));
    assert_eq!(ended.code, Some(code), "{case}: {}", ended.err);
    let folder = only_run(&results);
    let verdict = verdict_of(&folder, &only_record(&folder));
    Outcome { verdict, printed: ended.err }
}

/// Runs a scenario that must get this status. If the machine has other work, the workers' event loops are
/// late, and that verdict outranks others. Then it is tried again, twice at most. If the machine is busy all
/// the time, the test cannot show the verdict, says so, and returns nothing. (The quick matrix shows that a
/// free machine does not make the event loops late.)
fn provoke(expected: &str, mut run_scenario: impl FnMut(&str) -> Outcome) -> Option<Outcome> {
    for attempt in ["first", "second", "third"] {
        let outcome = run_scenario(attempt);
        let Verdict { status, reasons } = &outcome.verdict;
        let is_disturbed = status == "LOADGEN_LIMITED" && reasons.contains("event loop late");
        if status == expected || !is_disturbed {
            assert_eq!(status, expected, "{reasons}");
            return Some(outcome);
        }
        say(&format!("the machine had other work, trying again: {reasons}"));
    }
    say(&format!("NOT SHOWN: {expected}; the machine had other work three times"));
    None
}

/// A worker with a quarter of a core limits the load, so the figures would be its own.
pub(crate) fn a_starved_worker_is_the_limit(cluster: &KeptCluster) {
    let limits = "/spec/template/spec/containers/0/resources/limits/cpu";
    let patch = |operation: Value| {
        let patch = Value::from(vec![operation]).to_string();
        output_of(&mut cluster.kubectl(&["patch", WORKERS, "--type=json", "-p", &patch]));
        cluster.wait_for_rollout(WORKERS);
    };
    let stub = StubVariables::set(cluster, &[("SERVICE_MS", "5"), ("CONCURRENCY", "64")]);
    patch(json!({ "op": "add", "path": limits, "value": "250m" }));
    let text = "{replicas: [1], workers: [1], users: [20], duration: 6s, max_duration: 6s, cooldown: 0s, spawn_rate: 20}";
    let Verdict { status, reasons } = run_scenario(cluster, "starved", 0, text).verdict;
    assert_eq!(status, "LOADGEN_LIMITED", "{reasons}");
    assert!(reasons.contains("throttled") || reasons.contains("of its CPU"), "{reasons}");
    patch(json!({ "op": "remove", "path": limits }));
    stub.restore();
}

/// A replica that is killed in the window voids the first attempt; the second attempt is valid.
pub(crate) fn a_killed_replica_voids_the_first_attempt(cluster: &KeptCluster) {
    let text = "{replicas: [2], workers: [1], users: [4], duration: 6s, max_duration: 30s, cooldown: 0s, spawn_rate: 20}";
    let matrix = cluster.settings(text);
    let results = cluster.folder.join("killed-replica");
    let mut running = Running::start(&mut cluster.driver_run(&matrix, &results));
    running.await_line("RPS:", Duration::from_mins(1));
    let pods = output_of(&mut cluster.kubectl(&["get", "pods", "-l", "app=inference", "-o", "name"]));
    output_of(&mut cluster.kubectl(&["delete", pods.lines().next().unwrap(), "--now", "--wait=false"]));
    let ended = running.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("VOID, once more: the replicas changed"), "{}", ended.err);
    let run = only_run(&results);
    assert_eq!(attempts(&run).iter().map(attempt).collect::<Vec<_>>(), [1, 2], "both are recorded");
    assert_all_valid(&run, 1);
}

/// One of two replicas is slow: they get equal shares of the connections, but not of the requests.
pub(crate) fn a_slow_replica_is_an_imbalance(cluster: &KeptCluster) {
    // A replica's host name and the seed decide whether it is slow. With probability 1/2, exactly one of the
    // two is; that 16 seeds give no such pair has probability 1/65,536.
    let stub = (0..16).find_map(|seed| {
        let seed = seed.to_string();
        let slow =
            [("SLOW_FACTOR", "10"), ("SLOW_SHARE", "0.5"), ("SEED", seed.as_str()), ("CONCURRENCY", "32")];
        let stub = StubVariables::set(cluster, &slow);
        output_of(&mut cluster.kubectl(&["scale", INFERENCE, "--replicas=2"]));
        cluster.wait_for_rollout(INFERENCE);
        let logs = output_of(&mut cluster.kubectl(&["logs", "-l", "app=inference", "--tail=-1"]));
        (logs.matches("slow").count() == 1).then_some(stub)
    });
    let stub = stub.unwrap();
    let text = "{replicas: [2], workers: [1], users: [16], duration: 9s, max_duration: 30s, cooldown: 0s, spawn_rate: 20}";
    provoke("IMBALANCED", |attempt| run_scenario(cluster, &format!("slow-replica-{attempt}"), 0, text));
    stub.restore();
    output_of(&mut cluster.kubectl(&["scale", INFERENCE, "--replicas=1"]));
    cluster.wait_for_rollout(INFERENCE);
}

/// A stub that becomes faster is not steady. Measuring until it is steady makes the row valid.
pub(crate) fn a_warming_stub_is_unstable_until_it_is_warm(cluster: &KeptCluster) {
    // The answers are short, so that there are enough of them to tell a trend from chance.
    let warm = |longest: &str, case: String| {
        let stub =
            StubVariables::set(cluster, &[("SERVICE_MS", "20"), ("WARM_UP", "20"), ("WARM_UP_FACTOR", "10")]);
        let text = format!(
            "{{replicas: [1], workers: [1], users: [4], duration: 12s, max_duration: {longest}, cooldown: 0s, spawn_rate: 20}}"
        );
        let outcome = run_scenario(cluster, &case, 0, &text);
        stub.restore();
        outcome
    };
    provoke("UNSTABLE", |attempt| warm("12s", format!("warming-{attempt}")));
    if let Some(Outcome { printed, .. }) =
        provoke("SUCCESS", |attempt| warm("60s", format!("warmed-{attempt}")))
    {
        assert!(printed.contains("measuring on"), "{printed}");
    }
}

/// There are too few requests for the percentile that the objective names.
pub(crate) fn twenty_requests_are_too_few(cluster: &KeptCluster) {
    let text = "{replicas: [1], workers: [1], users: [1], duration: 3s, cooldown: 0s, spawn_rate: 20, objective: {p95_ms: 500}}";
    let outcome =
        provoke("UNDERSAMPLED", |attempt| run_scenario(cluster, &format!("few-{attempt}"), 6, text));
    if let Some(Outcome { verdict, .. }) = outcome {
        assert!(verdict.reasons.contains("P95, which needs 90"), "{}", verdict.reasons);
    }
}

/// 60 requests/s are more than one replica can serve, which is 40: whatever the window, the queue grows.
pub(crate) fn a_rate_that_is_not_kept_up_is_overload(cluster: &KeptCluster) {
    let text = "{replicas: [1], workers: [2], rates: [60], duration: 20s, max_duration: 20s, cooldown: 0s, objective: {p95_ms: 8000}}";
    let outcome =
        provoke("OVERLOADED", |attempt| run_scenario(cluster, &format!("overload-{attempt}"), 6, text));
    if let Some(Outcome { verdict, .. }) = outcome {
        assert!(verdict.reasons.contains("requests under way grow by"), "{}", verdict.reasons);
    }
}

/// A service that sheds load answers fast, and looks like the best of all. Its row is never cited.
pub(crate) fn a_service_that_sheds_load_is_not_the_best(cluster: &KeptCluster) {
    let stub = StubVariables::set(cluster, &[("MAX_WAITING", "2")]);
    let text = "{replicas: [1], workers: [2], users: [8], duration: 6s, max_duration: 6s, cooldown: 0s, spawn_rate: 20, objective: {p95_ms: 5000}}";
    let matrix = cluster.settings(text);
    let results = cluster.folder.join("shedding");
    let ended = run(&mut cluster.driver_run(&matrix, &results));
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    let folder = only_run(&results);
    let Verdict { status, reasons } = verdict_of(&folder, &only_record(&folder));
    // Thousands of errors each second may also be more than the workers can make.
    assert!(["ERRORS", "LOADGEN_LIMITED"].contains(&status.as_str()), "{status}: {reasons}");
    assert!(reasons.contains("requests to POST /predict failed, more than 1 %"), "{reasons}");
    let report = std::fs::read_to_string(folder.join("auto_summary.md")).unwrap();
    assert!(report.contains("## Failed requests") && report.contains("503"), "{report}");
    assert!(!report.contains("Best throughput") && !report.contains("meets the objective."), "{report}");
    stub.restore();
}

/// A service that fails every request has failed, and has no figures.
pub(crate) fn a_dead_service_has_no_figures(cluster: &KeptCluster) {
    let stub = StubVariables::set(cluster, &[("FAILURE_RATE", "1")]);
    let text = "{replicas: [1], workers: [1], users: [2], duration: 3s, max_duration: 3s, cooldown: 0s, spawn_rate: 20}";
    let Verdict { status, reasons } = run_scenario(cluster, "dead", 5, text).verdict;
    assert_eq!(status, "FAILED", "{reasons}");
    assert!(reasons.contains("every request to POST /predict failed"), "{reasons}");
    stub.restore();
}
