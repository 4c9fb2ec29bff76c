//! Each verdict, provoked by its cause.

use std::time::Duration;

use e2e::results::{assert_all_valid, only_run, records};
use e2e::tool::{Running, must, run};
use serde_json::Value;

use crate::kept::{Kept, settings};

const INFERENCE: &str = "deployment/inference";
const WORKERS: &str = "deployment/locust-worker";

/// What a cause is made with, and what has to be put back.
pub(crate) struct Cause<'a> {
    kept: &'a Kept<'a>,
    deployment: &'static str,
    env: Vec<String>,
}

impl<'a> Cause<'a> {
    /// The stub with these settings.
    pub(crate) fn stub(kept: &'a Kept<'a>, settings: &[(&str, &str)]) -> Self {
        let env = settings.iter().map(|(name, value)| format!("FAKE_INFERENCE_{name}={value}")).collect();
        let cause = Self { kept, deployment: INFERENCE, env };
        cause.set(str::to_owned);
        cause
    }

    fn set(&self, word: impl Fn(&str) -> String) {
        let words: Vec<String> = self.env.iter().map(|pair| word(pair)).collect();
        let mut arguments = vec!["set", "env", self.deployment];
        arguments.extend(words.iter().map(String::as_str));
        must(&mut self.kept.kubectl(&arguments));
        self.kept.rolled_out(self.deployment);
    }

    /// Takes the settings back that the manifests do not have.
    pub(crate) fn end(&self) {
        self.set(|pair| match pair.split_once('=') {
            Some(("FAKE_INFERENCE_SERVICE_MS", _)) => "FAKE_INFERENCE_SERVICE_MS=100".to_owned(),
            Some(("FAKE_INFERENCE_CONCURRENCY", _)) => "FAKE_INFERENCE_CONCURRENCY=4".to_owned(),
            Some((name, _)) => format!("{name}-"),
            None => pair.to_owned(),
        });
    }
}

/// Runs one scenario from outside; its record and what was told.
fn sweep(kept: &Kept<'_>, case: &str, code: i32, text: &str) -> (Value, String) {
    let matrix = settings(kept.folder, text);
    let results = kept.folder.join(case);
    let ended = run(&mut kept.sweep(&matrix, &results));
    assert_eq!(ended.code, Some(code), "{case}: {}", ended.err);
    (records(&only_run(&results)).remove(0), ended.err)
}

fn judgement(record: &Value) -> (&str, String) {
    let reasons = record["verdict"]["reasons"].as_array().unwrap();
    let reasons: Vec<&str> = reasons.iter().filter_map(Value::as_str).collect();
    (record["verdict"]["judgement"].as_str().unwrap(), reasons.join("; "))
}

/// Provokes a verdict; what was told. A moment in which the machine had other work makes workers late, which
/// is the first thing to say of a row: then it is tried again, twice at most, and where it has other work all
/// the time, nothing is shown here, which is said. (That a row is not called so on a machine that is free, the
/// quick matrix shows.)
fn provoke(expected: &str, mut sweep: impl FnMut(&str) -> (Value, String)) -> Option<(String, String)> {
    for attempt in ["first", "second", "third"] {
        let (record, told) = sweep(attempt);
        let (verdict, reasons) = judgement(&record);
        let disturbed = verdict == "LOADGEN_LIMITED" && reasons.contains("event loop late");
        if verdict == expected || !disturbed {
            assert_eq!(verdict, expected, "{reasons}");
            return Some((reasons, told));
        }
        eprintln!("the machine had other work, once more: {reasons}");
    }
    eprintln!("NOT SHOWN: {expected}; the machine had other work three times");
    None
}

/// A worker with a quarter of a core: the figures would be its own.
pub(crate) fn a_starved_worker_is_the_limit(kept: &Kept<'_>) {
    let limits = "/spec/template/spec/containers/0/resources/limits/cpu";
    let patch = |operation: Value| {
        let patch = Value::from(vec![operation]).to_string();
        must(&mut kept.kubectl(&["patch", WORKERS, "--type=json", "-p", &patch]));
        kept.rolled_out(WORKERS);
    };
    let stub = Cause::stub(kept, &[("SERVICE_MS", "5"), ("CONCURRENCY", "64")]);
    patch(serde_json::json!({ "op": "add", "path": limits, "value": "250m" }));
    let text = "{replicas: [1], workers: [1], users: [20], duration: 6s, max_duration: 6s, cooldown: 0s, spawn_rate: 20}";
    let (record, _) = sweep(kept, "starved", 0, text);
    let (verdict, reasons) = judgement(&record);
    assert_eq!(verdict, "LOADGEN_LIMITED", "{reasons}");
    assert!(reasons.contains("throttled") || reasons.contains("of its CPU"), "{reasons}");
    patch(serde_json::json!({ "op": "remove", "path": limits }));
    stub.end();
}

/// A replica that is killed in the window spoils it; the second try stands.
pub(crate) fn a_killed_replica_voids_the_first_try(kept: &Kept<'_>) {
    let text = "{replicas: [2], workers: [1], users: [4], duration: 6s, max_duration: 30s, cooldown: 0s, spawn_rate: 20}";
    let matrix = settings(kept.folder, text);
    let results = kept.folder.join("killed-replica");
    let mut running = Running::start(&mut kept.sweep(&matrix, &results));
    running.await_line("RPS:", Duration::from_mins(1));
    let pods = must(&mut kept.kubectl(&["get", "pods", "-l", "app=inference", "-o", "name"]));
    must(&mut kept.kubectl(&["delete", pods.lines().next().unwrap(), "--now", "--wait=false"]));
    let ended = running.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("VOID, once more: the replicas changed"), "{}", ended.err);
    let record = records(&only_run(&results)).remove(0);
    assert_eq!(record["attempt"], 2, "{record}");
    assert_all_valid(&only_run(&results), 1);
}

/// One slow replica of two: the connections are shared evenly, the requests are not.
pub(crate) fn a_slow_replica_is_an_imbalance(kept: &Kept<'_>) {
    // The host name decides which is slow; another seed draws again, and 16 draws without a pair of which
    // exactly one is slow are one in 65,536.
    let stub = (0..16).find_map(|seed| {
        let seed = seed.to_string();
        let troubles =
            [("SLOW_FACTOR", "10"), ("SLOW_SHARE", "0.5"), ("SEED", seed.as_str()), ("CONCURRENCY", "32")];
        let stub = Cause::stub(kept, &troubles);
        must(&mut kept.kubectl(&["scale", INFERENCE, "--replicas=2"]));
        kept.rolled_out(INFERENCE);
        let said = must(&mut kept.kubectl(&["logs", "-l", "app=inference", "--tail=-1"]));
        (said.matches("slow").count() == 1).then_some(stub)
    });
    let stub = stub.unwrap();
    let text = "{replicas: [2], workers: [1], users: [16], duration: 9s, max_duration: 30s, cooldown: 0s, spawn_rate: 20}";
    provoke("IMBALANCED", |attempt| sweep(kept, &format!("slow-replica-{attempt}"), 0, text));
    stub.end();
    must(&mut kept.kubectl(&["scale", INFERENCE, "--replicas=1"]));
    kept.rolled_out(INFERENCE);
}

/// A stub that gets faster all the time is not steady, and measuring until it has come to rest cures it.
pub(crate) fn a_warming_stub_is_unstable_until_it_is_warm(kept: &Kept<'_>) {
    // Short answers: many of them tell a trend from chance.
    let warm = |longest: &str, case: String| {
        let stub = Cause::stub(kept, &[("SERVICE_MS", "20"), ("WARM_UP", "20"), ("WARM_UP_FACTOR", "10")]);
        let text = format!(
            "{{replicas: [1], workers: [1], users: [4], duration: 12s, max_duration: {longest}, cooldown: 0s, spawn_rate: 20}}"
        );
        let swept = sweep(kept, &case, 0, &text);
        stub.end();
        swept
    };
    provoke("UNSTABLE", |attempt| warm("12s", format!("warming-{attempt}")));
    if let Some((_, told)) = provoke("VALID", |attempt| warm("60s", format!("warmed-{attempt}"))) {
        assert!(told.contains("measuring on"), "{told}");
    }
}

/// Too few requests for the percentile that the objective names.
pub(crate) fn twenty_requests_are_too_few(kept: &Kept<'_>) {
    let text = "{replicas: [1], workers: [1], users: [1], duration: 3s, cooldown: 0s, spawn_rate: 20, objective: {p95_ms: 500}}";
    if let Some((reasons, _)) =
        provoke("UNDERSAMPLED", |attempt| sweep(kept, &format!("few-{attempt}"), 0, text))
    {
        assert!(reasons.contains("P95, which needs 90"), "{reasons}");
    }
}

/// A service that refuses every request has failed, and has no figures.
pub(crate) fn a_dead_service_has_no_figures(kept: &Kept<'_>) {
    let stub = Cause::stub(kept, &[("FAILURE_RATE", "1")]);
    let text = "{replicas: [1], workers: [1], users: [2], duration: 3s, max_duration: 3s, cooldown: 0s, spawn_rate: 20}";
    let (record, _) = sweep(kept, "dead", 5, text);
    let (verdict, reasons) = judgement(&record);
    assert_eq!(verdict, "FAILED", "{reasons}");
    assert!(reasons.contains("every request to POST /predict failed"), "{reasons}");
    stub.end();
}
