//! Examples of every event.

use std::time::Duration;

use crate::events::{Arrivals, DeploymentReplicas, PlannedScenario, Progress};

/// The name of an event in JSON. This match makes a new variant fail to compile until it has a name here; then
/// it needs an example below and a place in the schema.
pub(super) const fn name(event: &Progress) -> &'static str {
    match event {
        Progress::TargetConfirmed { .. } => "target_confirmed",
        Progress::WebUi { .. } => "web_ui",
        Progress::LeftoverLoadStopped { .. } => "leftover_load_stopped",
        Progress::GeneratorCaveat { .. } => "generator_caveat",
        Progress::RunStarted { .. } => "run_started",
        Progress::ScenarioStarted { .. } => "scenario_started",
        Progress::WorkersRestarted { .. } => "workers_restarted",
        Progress::Waiting { .. } => "waiting",
        Progress::GeneratorRestarted { .. } => "generator_restarted",
        Progress::PhaseDone { .. } => "phase_done",
        Progress::Live { .. } => "live",
        Progress::Signals { .. } => "signals",
        Progress::MeasurementExtended { .. } => "measurement_extended",
        Progress::LoadStopUnanswered { .. } => "load_stop_unanswered",
        Progress::WholeRunMissing { .. } => "whole_run_missing",
        Progress::Retry { .. } => "retry",
        Progress::Recovering => "recovering",
        Progress::ScenarioEnded { .. } => "scenario_ended",
        Progress::VerdictChanged { .. } => "verdict_changed",
        Progress::SamplesDropped { .. } => "samples_dropped",
        Progress::ProbeEnded { .. } => "probe_ended",
        Progress::Answer { .. } => "answer",
        Progress::RunEnded { .. } => "run_ended",
        Progress::ReplicasRestored { .. } => "replicas_restored",
        Progress::RestoreFailed { .. } => "restore_failed",
        Progress::JobSuspended => "job_suspended",
        Progress::JobContinues { .. } => "job_continues",
        Progress::CleanupStarted { .. } => "cleanup_started",
        Progress::Note { .. } => "note",
    }
}

/// At least one event of each kind with the line that people see.
pub(super) fn examples() -> Vec<(Progress, &'static str)> {
    let mut examples = of_scenarios();
    examples.extend(of_searches());
    examples.extend(around_scenarios());
    examples
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn planned(rate: Option<f64>) -> PlannedScenario {
    let (replicas, workers, users) = (2, 4, 200);
    PlannedScenario { scenario: text("closed-r2-w4-u200-1"), replicas, workers, users, rate, status: None }
}

fn of_scenarios() -> Vec<(Progress, &'static str)> {
    let live = |open: Option<Arrivals>| Progress::Live {
        at_s: 2.0,
        of_s: 20.0,
        rps: 40.0,
        median_us: open.map(|_| 1400),
        p90_us: open.map(|_| 2500),
        p95_us: open.map(|_| 2600),
        failures_pct: open.map(|_| 0.0),
        open,
    };
    vec![
        (
            Progress::ScenarioStarted {
                number: 3,
                of: Some(4),
                point: text("replicas 2"),
                attempt: 2,
                scenario: planned(None),
            },
            "\n[3/4] replicas 2 (attempt 2)",
        ),
        (
            Progress::ScenarioStarted {
                number: 3,
                of: None,
                point: text("replicas 2"),
                attempt: 1,
                scenario: planned(Some(50.0)),
            },
            "\n[3] replicas 2",
        ),
        (
            Progress::WorkersRestarted { generator: text("Locust"), wanted: 2 },
            "  Locust does not list 2 idle workers; replacing their pods",
        ),
        (
            Progress::Waiting { subject: text("inference"), state: text("0 of 2 pods ready"), waited_s: 20 },
            "  waiting for inference, for 20 s: 0 of 2 pods ready",
        ),
        (
            Progress::GeneratorRestarted { generator: text("Locust"), reason: text("no answer") },
            "  Locust cannot be used (no answer); replacing its pods",
        ),
        (Progress::phase("20 users run", Duration::from_millis(1230)), "  20 users run (1.2 s)"),
        (live(None), "  [2s/20s] RPS: 40.0 | Median: - | P90: - | Failures: -"),
        (
            live(Some(Arrivals { rate: 12.5, late: 3, skipped: 0 })),
            "  [2s/20s] RPS: 40.0 | Median: 1.40ms | P90: 2.50ms | Failures: 0.0% | open at 12.5/s: 3 late, 0 skipped",
        ),
        (
            Progress::Signals {
                unsteady: Some(text("P95 rises")),
                accounted_pct: Some(99.4),
                cpu_pct: Some(31.0),
                lag_us: Some(1200),
            },
            "  not steady: P95 rises; Little's law accounts for 99 % of the users; workers' CPU 31 %; event loop late by 1.20 ms",
        ),
        (Progress::Signals { unsteady: None, accounted_pct: None, cpu_pct: None, lag_us: None }, "  steady"),
        (Progress::MeasurementExtended { reason: text("P95 rises") }, "  measuring on: P95 rises"),
        (
            Progress::LoadStopUnanswered {
                generator: text("Locust"),
                stops_after_s: 60,
                error: text("refused"),
            },
            "  Locust does not answer (refused); its load stops by itself within 60 s",
        ),
        (
            Progress::WholeRunMissing { error: text("refused") },
            "  the figures of the whole run are missing: refused",
        ),
        (
            Progress::Retry { reasons: vec![text("a pod is gone"), text("a pod came")] },
            "  VOID, once more: a pod is gone; a pod came",
        ),
        (Progress::Recovering, "  waiting until the cluster and the load generator answer again"),
        (
            Progress::ScenarioEnded {
                number: 3,
                of: Some(4),
                status: text("SUCCESS"),
                summary: text("40.0 requests/s"),
            },
            "[3/4] SUCCESS  40.0 requests/s",
        ),
        (
            Progress::VerdictChanged {
                scenario: text("closed-r1-w2-u20-1"),
                status: text("LOADGEN_LIMITED"),
                reasons: vec![text("4 workers get more")],
            },
            "closed-r1-w2-u20-1: LOADGEN_LIMITED after all: 4 workers get more",
        ),
        (
            Progress::SamplesDropped { records: 1 },
            "  the cluster's copy has no per-second samples for 1 record: no room",
        ),
    ]
}

fn of_searches() -> Vec<(Progress, &'static str)> {
    vec![
        (
            Progress::ProbeEnded {
                probe: 3,
                replicas: 2,
                users: 152,
                rate: None,
                p95_us: Some(471_000),
                outcome: text("met"),
                next: Some(164.0),
                found: None,
            },
            "  probe 3: 152 users, P95 471 ms, met; next 164",
        ),
        (
            Progress::ProbeEnded {
                probe: 6,
                replicas: 2,
                users: 200,
                rate: Some(20.0),
                p95_us: None,
                outcome: text("missed"),
                next: None,
                found: Some(text("2 replicas carry 19 requests/s")),
            },
            "  probe 6: 20 requests/s, P95 -, missed\n  2 replicas carry 19 requests/s",
        ),
        (Progress::Answer { text: text("7 replicas carry 1,000 users") }, "7 replicas carry 1,000 users"),
    ]
}

fn around_scenarios() -> Vec<(Progress, &'static str)> {
    let deployments =
        vec![DeploymentReplicas::new("inference", 3), DeploymentReplicas::new("locust-worker", 2)];
    vec![
        (
            Progress::TargetConfirmed {
                deployment: text("inference"),
                namespace: text("load"),
                server: text("https://a"),
            },
            "service: deployment load/inference in https://a",
        ),
        (Progress::WebUi { url: text("http://127.0.0.1:8089") }, "Locust's web UI: http://127.0.0.1:8089"),
        (Progress::LeftoverLoadStopped { users: 1 }, "load is running already (1 user); stopping it"),
        (Progress::GeneratorCaveat { caveat: text("off by 3 s") }, "off by 3 s"),
        (
            Progress::RunStarted {
                run_id: text("r"),
                scenarios: Some(4),
                recorded: 1,
                expected_s: 61.0,
                generator: text("Locust 2.46.6"),
                target: text("http://inference:8000"),
                plan: vec![PlannedScenario { status: Some(text("SUCCESS")), ..planned(Some(12.5)) }],
            },
            "run r: 4 scenarios against http://inference:8000 with Locust 2.46.6; 1 recorded already; about 1 min 1 s to go",
        ),
        (
            Progress::RunEnded { recorded: 4, valid: 3, took_s: 150.0 },
            "\nvalid: 3 of 4 recorded scenarios; the run took 2 min 30 s",
        ),
        (Progress::ReplicasRestored { deployments }, "replicas as found: inference 3, locust-worker 2"),
        (Progress::RestoreFailed { error: text("API away") }, "API away"),
        (
            Progress::JobSuspended,
            "interrupted: suspending the Job, which stops the load and keeps the records",
        ),
        (
            Progress::JobContinues { pod: text("driver-b"), exit_code: 137 },
            "the Job continues in pod driver-b, after exit code 137",
        ),
        (
            Progress::CleanupStarted { namespace: text("load"), server: text("https://a") },
            "cleaning up namespace load in https://a",
        ),
        (Progress::note("anything"), "anything"),
    ]
}
