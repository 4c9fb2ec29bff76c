//! Whole scenarios, from scaling to their record, each with one problem. The cluster and the load generator follow
//! a script, and tokio's paused clock makes minutes pass at once.

mod by_script;
mod cluster;
mod disturbances;
mod open_queue;
mod pods;
mod script;
mod world;

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use records::{Environment, Record};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::script::{Script, capabilities};
use self::world::{WORKERS, World};
use super::setup::DEADMAN;
use super::{Matrix, Run, Seen, Setup};
use crate::cluster::{Lease, PodHttp, ScriptedPods as Pages, Workload, read_workload};
use crate::config::{Config, Settings, WorkloadName};
use crate::events::Events;
use crate::judge::{JudgedRun, Judgement, Verdict, judge_alone};
use crate::load::{Capabilities, LoadGenerator};
use crate::plan::Grid;
use crate::record::RecordFile;
use crate::wait::silent;

/// 20 users on one replica for 20 s.
const ONE: &str = "{replicas: [1], workers: [2], users: [20], duration: 20s, cooldown: 1s}";

/// The result of a run.
struct Ran {
    records: Vec<Record>,
    /// The progress that the user was told.
    told: Vec<String>,
    /// How long the run took, s.
    took_s: f64,
    /// The seed of the arrivals of each load of the open model.
    seeds: Vec<u64>,
}

async fn run(settings: &str, script: Script) -> Ran {
    let (ran, ended) = attempt(settings, script).await;
    ended.unwrap();
    ran
}

async fn attempt(settings: &str, script: Script) -> (Ran, crate::exit::Result<()>) {
    // Boxed, because it is large.
    Box::pin(drive(settings, script)).await
}

async fn drive(settings: &str, script: Script) -> (Ran, crate::exit::Result<()>) {
    let config: Config = Settings::parse(settings).unwrap().complete().unwrap();
    let grace = SignedDuration::from_secs(script.leaves_after.into());
    let world = World::new(script);
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let pages = world.clone();
    let capabilities = world.capabilities().await.unwrap();
    let environment = Environment {
        target: config.inference.url.clone(),
        primary: config.inference.primary.clone(),
        percentile_digits: capabilities.percentile_digits,
        order_seed: config.is_shuffled().then_some(config.seed),
        ..Environment::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let cluster = cluster::cluster(&world);
    let inference = read_workload(&cluster, &WorkloadName::deployment("inference")).await.unwrap();
    let mut matrix = Matrix {
        plan: Box::new(Grid::of(&config)),
        setup: Setup {
            cluster: cluster.clone(),
            load: world.clone(),
            capabilities,
            config,
            inference: Workload { grace, ..inference },
            workers: Workload::for_tests(WORKERS),
            environment,
            reach: PodHttp::Scripted(Pages(Arc::new(move |pod| pages.page(&pod.name)))),
            lease: Some(Lease::acquire(&cluster, "me", CancellationToken::new(), &silent).await.unwrap()),
            events: Events::to(move |event| sink.lock().unwrap().push(event.to_string())),
            seen: Seen::default(),
        },
        run: Run { run_id: "run".into(), plan_hash: "hash".into() },
        records: Vec::new(),
        file: RecordFile::create(&path, &[]).unwrap(),
        store: None,
        interrupted: CancellationToken::new(),
    };
    let started = Instant::now();
    let ended = Box::pin(matrix.run()).await;
    let took_s = started.elapsed().as_secs_f64();
    if world.state().script.taken_at.is_some() {
        // The driver leaves the load to the one that has the Lease now; here nobody does anything.
        sleep(DEADMAN).await;
    }
    assert!(!world.is_loaded(), "no load is left");
    // Reports are made from the file, so it must hold the same records.
    let records = RecordFile::read(&path).unwrap();
    assert_eq!(records, matrix.records);
    let told = told.lock().unwrap().clone();
    let seeds = world.state().seeds.clone();
    (Ran { records, told, took_s, seeds }, ended)
}

impl Ran {
    /// The record of the only scenario: its last attempt.
    fn only(&self) -> &Record {
        let last = self.records.last().unwrap();
        assert!(self.records.iter().all(|record| record.scenario.id == last.scenario.id));
        last
    }

    /// The attempts at the only scenario, with their verdicts.
    fn attempts(&self) -> Vec<(u32, Verdict)> {
        self.records.iter().map(|record| (record.attempt, judge_alone(record).verdict)).collect()
    }

    #[track_caller]
    fn assert_judged(&self, verdict: Verdict, words: &str) {
        let judgement = self.judgement();
        assert_eq!(judgement.verdict, verdict, "{judgement:?}");
        assert!(judgement.reasons.iter().any(|reason| reason.contains(words)), "{judgement:?}");
    }

    /// The judgement of the only record.
    fn judgement(&self) -> Judgement {
        judge_alone(self.only())
    }

    fn measured_s(&self) -> f64 {
        self.only().intervals.iter().map(|interval| interval.seconds).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn a_healthy_service_is_valid_within_the_planned_time() {
    let ran = run(ONE, Script::default()).await;
    assert_eq!(ran.judgement().reasons, [""; 0]);
    assert_eq!((ran.judgement().verdict, ran.only().attempt), (Verdict::Valid, 1));
    let window = ran.only().window.as_ref().unwrap();
    assert!((window.seconds - 20.0).abs() < 0.1, "{}", window.seconds);
    assert_eq!(ran.only().intervals.len(), 5, "five intervals must agree");
    let sampled: Vec<_> = ran.only().samples.iter().map(|sample| sample.at.round()).collect();
    assert_eq!(sampled[..19], (1..20).map(f64::from).collect::<Vec<_>>(), "every second, across the cuts");
    assert_eq!(
        ran.only().intervals.iter().map(|interval| interval.requests).sum::<u64>(),
        window.aggregated.requests
    );
    assert!(
        ran.told.iter().any(|line| line.contains("[20s/20s] RPS: 40.0 | Median: 500ms")),
        "{:?}",
        ran.told
    );
}

#[tokio::test(start_paused = true)]
async fn inexact_windows_make_one_interval_and_snapshots_without_counts_make_no_samples() {
    let capabilities = Capabilities { exact_windows: false, live_counts: false, ..capabilities() };
    let ran = run(ONE, Script { capabilities, ..Script::default() }).await;
    assert_eq!((ran.only().intervals.len(), ran.only().samples.len()), (1, 0));
    assert!(!ran.only().stopping_rule.as_ref().unwrap().exact);
    assert_eq!(ran.told.iter().filter(|line| line.contains("RPS")).count(), 1, "{:?}", ran.told);
}

#[tokio::test(start_paused = true)]
async fn a_worker_short_of_cpu_limits_the_load() {
    run(ONE, Script { cpu: 0.95, ..Script::default() })
        .await
        .assert_judged(Verdict::LoadgenLimited, "worker load-worker-0 used 95 % of its CPU");
}

#[tokio::test(start_paused = true)]
async fn a_replica_killed_in_the_window_makes_the_scenario_void_and_it_is_tried_once_more() {
    let killed = |kills| Script { kill: Some((8.0, "inference")), kills, ..Script::default() };
    let ran = run(ONE, killed(1)).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Void), (2, Verdict::Valid)]);
    let first = ran.records[0].window.as_ref().unwrap();
    assert!(first.aggregated.requests > 0, "the figures of the first attempt are kept");
    assert!(
        ran.told.iter().any(|line| line.contains("VOID, once more: the replicas changed")),
        "{:?}",
        ran.told
    );
    let ran = run(ONE, killed(2)).await;
    ran.assert_judged(Verdict::Void, "inference-0 is gone");
    assert_eq!(ran.attempts(), [(1, Verdict::Void), (2, Verdict::Void)], "not a third time");
}

#[tokio::test(start_paused = true)]
async fn counts_that_fall_back_in_the_window_make_the_scenario_void() {
    let ran = run(ONE, Script { reset: Some((12.0, true)), ..Script::default() }).await;
    ran.assert_judged(Verdict::Void, "the statistics were reset while it was measured");
    assert_eq!((ran.only().resets, ran.only().attempt), (1, 2), "it was tried once more");
    let ran = run(ONE, Script { reset: Some((12.0, false)), ..Script::default() }).await;
    ran.assert_judged(Verdict::Void, "the load generator's counts fell back from");
    // At the end of the longest measurement, the window seems to have no requests.
    let ran = run(
        ONE,
        Script {
            reset: Some((41.5, true)),
            response_ms: |at| if at > 20.0 { 400 } else { 100 },
            ..Script::default()
        },
    )
    .await;
    assert_eq!(ran.judgement().verdict, Verdict::Void, "{:?}", ran.judgement());
}

#[tokio::test(start_paused = true)]
async fn a_reset_outside_of_the_window_costs_only_the_total_of_the_whole_run() {
    // The warm-up lasts 2 s.
    let ran = run(ONE, Script { reset: Some((1.0, true)), ..Script::default() }).await;
    assert_eq!((ran.judgement().reasons, ran.only().resets), (Vec::new(), 0));
    assert_eq!(ran.only().whole_run, None, "but what was counted before it is lost");
    assert!(run(ONE, Script::default()).await.only().whole_run.is_some());
}

#[tokio::test(start_paused = true)]
async fn most_of_the_load_on_one_replica_is_imbalanced() {
    let two = "{replicas: [2], workers: [2], users: [20], duration: 20s}";
    let ran = run(two, Script { first_share: 0.8, ..Script::default() }).await;
    ran.assert_judged(Verdict::Imbalanced, "inference-0 got 1.60 times the mean");
    assert_eq!(run(two, Script { first_share: 0.6, ..Script::default() }).await.judgement().reasons, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn users_that_wait_longer_at_one_of_two_full_replicas_are_imbalanced() {
    let two = "{replicas: [2], workers: [2], users: [20], duration: 20s}";
    let ran = run(two, Script { first_under_way: Some(0.8), ..Script::default() }).await;
    ran.assert_judged(
        Verdict::Imbalanced,
        "inference-0 had 1.60 times the mean of the requests under way per replica",
    );
    let replicas = &ran.only().replicas;
    assert_eq!(
        (replicas[0].under_way, replicas[1].under_way, replicas[0].readings),
        (Some(16.0), Some(4.0), 5)
    );
    assert_eq!(replicas[0].total(), replicas[1].total(), "the share of requests does not show it");
    let even = Script { first_under_way: Some(0.5), ..Script::default() };
    assert_eq!(run(two, even).await.judgement().reasons, [""; 0]);
    let unknown = run(two, Script::default()).await;
    assert_eq!((unknown.only().replicas[0].under_way, unknown.only().replicas[0].readings), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_longer_measurement_makes_a_slow_start_valid_but_not_a_lasting_change() {
    // 400 ms, and 100 ms from the 75th second on: the ramp is over at once here. Intervals of 20 s have enough
    // answers to tell the one in which the service becomes fast from those after it.
    let warming = |at: f64| if at < 15.0 { 400 } else { 100 };
    let long = ONE;
    let ran = run(long, Script { response_ms: warming, ..Script::default() }).await;
    assert_eq!(ran.judgement().reasons, [""; 0]);
    let record = ran.only();
    assert!(record.intervals.len() > 5 && ran.measured_s() > 25.0, "{} intervals", record.intervals.len());
    assert_eq!(
        record.window.as_ref().unwrap().aggregated.histogram.max(),
        Some(500_000),
        "only the time after the warm-up counts"
    );
    assert!(ran.told.iter().any(|line| line.contains("measuring on: ")), "{:?}", ran.told);

    let changing = |at: f64| if at % 14.0 < 7.0 { 100 } else { 300 };
    let ran = run(ONE, Script { response_ms: changing, ..Script::default() }).await;
    ran.assert_judged(Verdict::Unstable, "of the last intervals goes from");
    assert!((ran.measured_s() - 40.0).abs() < 0.5, "the longest measurement: {}", ran.measured_s());
}

#[tokio::test(start_paused = true)]
async fn too_few_requests_for_the_objective_are_undersampled() {
    let slow = || Script { response_ms: |_| 1000, ..Script::default() };
    let one_user = |rest: &str| format!("{{replicas: [1], workers: [1], users: [1], duration: 20s{rest}}}");
    let ran = run(&one_user(", objective: {p95_ms: 1500}"), slow()).await;
    ran.assert_judged(Verdict::Undersampled, "samples are too few for P95, which needs 90");
    assert_eq!(run(&one_user(""), slow()).await.judgement().reasons, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_success_is_failed_and_has_no_figures() {
    let failing = run(ONE, Script { fails: true, response_ms: |_| 2, ..Script::default() }).await;
    failing.assert_judged(Verdict::Failed, "every request to POST /predict failed, 6020 in the first 3 s");
    assert!(failing.took_s < 10.0, "it is not loaded to the end of the window: {} s", failing.took_s);
    // Also if the primary endpoint is named wrongly.
    let renamed = ONE.replacen('{', "{inference: {primary: 'POST /other'}, ", 1);
    let failing = run(&renamed, Script { fails: true, response_ms: |_| 2, ..Script::default() }).await;
    assert_eq!(failing.judgement().verdict, Verdict::Failed);
    assert!(failing.took_s < 10.0, "it is not loaded to the end of the window: {} s", failing.took_s);
    let hanging = run(ONE, Script { slots: 0.0001, response_ms: |_| 60_000, ..Script::default() }).await;
    hanging.assert_judged(Verdict::Failed, "no request finished in the window");
    let folder = tempfile::tempdir().unwrap();
    crate::report::write(&JudgedRun::of(&hanging.records), folder.path()).unwrap();
    let table = std::fs::read_to_string(folder.path().join("auto_summary.csv")).unwrap();
    let row = table.lines().nth(1).unwrap();
    assert!(row.starts_with("1,2,20,,,,,,,,") && row.ends_with(",FAILED"), "no zeros: {row}");
}

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_placed_are_infeasible_within_two_seconds() {
    let ran = run(ONE, Script { unplaced: true, ..Script::default() }).await;
    ran.assert_judged(Verdict::Infeasible, "0/1 nodes are available");
    assert!(ran.took_s < 2.0, "{} s", ran.took_s);
    let ran = run(ONE, Script { refused: true, ..Script::default() }).await;
    ran.assert_judged(Verdict::Infeasible, "exceeded quota: small");
    assert!(ran.took_s < 2.0, "{} s", ran.took_s);
}

#[tokio::test(start_paused = true)]
async fn closed_and_open_scenarios_run_in_one_matrix() {
    let both = "{replicas: [1], workers: [2], users: [20], rates: [30, 60], duration: 20s, cooldown: 1s}";
    let ran = run(both, Script::default()).await;
    let judged: Vec<_> =
        ran.records.iter().map(|r| (r.scenario.id.as_str(), judge_alone(r).verdict)).collect();
    let expected = [
        ("closed-r1-w2-u20-1", Verdict::Valid),
        ("open-r1-w2-q30-1", Verdict::Valid),
        // The service can answer 40 requests/s at most.
        ("open-r1-w2-q60-1", Verdict::Overloaded),
    ];
    assert_eq!(judged, expected);
    let overloaded = judge_alone(&ran.records[2]);
    assert_eq!(
        overloaded.reasons[0],
        "of 60.0 requests/s, 40.0 finish; requests under way grow by 20.0 each second"
    );
    let due = ran.records[1].open.unwrap().due;
    assert!((599..=601).contains(&due), "{due}");
    assert!(ran.told.iter().any(|line| line.contains("open at 30/s: 0 late, 0 skipped")), "{:?}", ran.told);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_refuses_most_requests_has_errors_and_is_not_the_best_row() {
    let fast = "{replicas: [1], workers: [2], users: [], rates: [174], pool: 100, duration: 20s}";
    let ran = run(fast, Script { queue_limit: 10, ..Script::default() }).await;
    ran.assert_judged(Verdict::Errors, "requests to POST /predict failed, more than 1 %");
    assert!(ran.judgement().reasons[0].starts_with("77."), "{:?}", ran.judgement());
}

#[tokio::test(start_paused = true)]
async fn each_repeat_and_each_attempt_has_arrivals_of_its_own_and_a_second_run_has_the_same() {
    let settings =
        "{replicas: [1], workers: [2], users: [], rates: [30], duration: 20s, cooldown: 1s, repeats: 2}";
    let seeds = async |kills| {
        let ran = run(settings, Script { kill: Some((8.0, "inference")), kills, ..Script::default() }).await;
        let attempts = if kills == 0 { 1 } else { 2 };
        assert_eq!(ran.records.len(), attempts + 1);
        ran.seeds
    };
    let (two, three) = (seeds(0).await, seeds(1).await);
    assert!(two.len() == 2 && two[0] != two[1], "{two:?}");
    assert_eq!(three.len(), 3, "the first scenario was tried twice");
    assert_eq!((three[0], three[2]), (two[0], two[1]));
    assert!(!two.contains(&three[1]), "{two:?} {three:?}");
}

#[tokio::test(start_paused = true)]
async fn a_steady_service_is_measured_in_less_than_half_the_time() {
    let smoke = |until: &str| format!("{{preset: smoke, until: {until}}}");
    let fixed = run(&smoke("duration"), Script { response_ms: |_| 20, ..Script::default() }).await;
    let early = run(&smoke("stable"), Script { response_ms: |_| 20, ..Script::default() }).await;
    for record in fixed.records.iter().chain(&early.records) {
        assert_eq!(judge_alone(record).reasons, [""; 0], "{}", record.scenario.id);
    }
    assert!(early.took_s <= 0.5 * fixed.took_s, "{} of {} s", early.took_s, fixed.took_s);
    let shortest = early.records.iter().map(|r| r.intervals.iter().map(|p| p.seconds).sum::<f64>());
    assert!(shortest.fold(f64::INFINITY, f64::min) >= 29.9, "not before the minimum");
}

#[tokio::test(start_paused = true)]
async fn repeats_run_in_the_shuffled_order_and_the_first_runs_again_for_drift() {
    let settings = "{replicas: [1, 2], workers: [1], users: [20], duration: 5s, cooldown: 1s, repeats: 2, seed: 9, drift: true}";
    let ran = run(settings, Script::default()).await;
    let config = Settings::parse(settings).unwrap().complete().unwrap();
    let planned: Vec<_> = Grid::of(&config).scenarios.into_iter().map(|scenario| scenario.id).collect();
    let ids: Vec<_> = ran.records.iter().map(|record| record.scenario.id.clone()).collect();
    assert_eq!((ids.len(), &ids), (5, &planned));
    assert!(ran.records.iter().all(|record| record.environment.order_seed == Some(9)));
    assert_eq!(ran.records[4].scenario.point_id(), ran.records[0].scenario.point_id());
    assert!(ran.told.iter().any(|line| line.contains("once more, for drift")), "{:?}", ran.told);
}
