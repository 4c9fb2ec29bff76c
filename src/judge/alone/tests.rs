use std::collections::BTreeMap;

use records::{
    Endpoint, Health, Histogram, Member, Membership, Objective, OpenCounts, Replica, WorkerHealth,
};

use super::*;
use crate::record::tests::record;

/// 20 s of 20 users on one replica with 4 slots of 100 ms: 40 requests/s, all to the primary endpoint.
fn good() -> Record {
    record(0, 1, 20, 800)
}

fn judged(spoil: impl FnOnce(&mut Record)) -> Judgement {
    let mut record = good();
    spoil(&mut record);
    judge_alone(&record)
}

fn assert_judged(verdict: Verdict, words: &str, spoil: impl FnOnce(&mut Record)) {
    let judgement = judged(spoil);
    assert_eq!(judgement.verdict, verdict, "{judgement:?}");
    assert!(judgement.reasons[0].contains(words), "{judgement:?}");
}

fn endpoint(record: &mut Record) -> &mut Endpoint {
    &mut record.window.as_mut().unwrap().endpoints[0]
}

fn worker(cpu_seconds: f64, lag_ms: u64) -> WorkerHealth {
    let at = |at: f64, cpu_seconds: f64, lag: Histogram| Health {
        at,
        cpu_seconds,
        cores: 2,
        cpu_limit: None,
        periods: None,
        throttled: None,
        lag,
    };
    WorkerHealth {
        id: "locust-worker-7_abc".into(),
        cpu_percent: 30.0,
        memory_bytes: 1,
        opening: Some(at(100.0, 5.0, Histogram::default())),
        closing: Some(at(120.0, 5.0 + cpu_seconds, Histogram::of_ms([(lag_ms, 200)]))),
    }
}

fn replica(pod: &str, requests: u64) -> Replica {
    let requests = Some(BTreeMap::from([("/predict 200".into(), requests)]));
    Replica { pod: pod.into(), requests, ..Replica::default() }
}

fn member(id: &str) -> Member {
    Member { name: format!("inference-{id}"), id: id.into(), restarts: 0 }
}

#[test]
fn a_good_scenario_is_valid_without_an_objective() {
    assert_eq!(judge_alone(&good()), Judgement::valid());
    let with_neighbours = judged(|r| {
        r.workers = vec![worker(8.0, 1)];
        r.replicas = vec![replica("a", 400), replica("b", 420)];
        r.objective = Objective { p95_ms: Some(500), ..Objective::default() };
    });
    assert_eq!(with_neighbours, Judgement::valid());
}

#[test]
fn a_row_without_figures_is_failed() {
    assert_judged(Verdict::Failed, "no window", |r| r.window = None);
    assert_judged(Verdict::Failed, "no request finished", |r| {
        r.window.as_mut().unwrap().aggregated.requests = 0;
    });
    assert_judged(Verdict::Failed, "every request to POST /predict failed", |r| endpoint(r).failures = 800);
    assert_judged(Verdict::Failed, "no request to GET /other", |r| {
        r.environment.primary = "GET /other".into();
    });
    assert_judged(Verdict::Failed, "raised 3 times: NameError", |r| {
        r.exceptions = vec![("NameError".into(), 3)];
    });
    assert_judged(Verdict::Infeasible, "no room", |r| {
        r.unmeasured = Some(Unmeasured::new(UnmeasuredKind::NoPlace, "no room"));
    });
}

#[test]
fn members_that_changed_make_it_void() {
    assert_judged(Verdict::Void, "inference-a is gone, inference-b came", |r| {
        r.membership = Some(Membership {
            replicas_before: vec![member("a")],
            replicas_after: vec![member("b")],
            ..Membership::default()
        });
    });
    assert_judged(Verdict::Void, "the Locust workers changed", |r| {
        r.membership = Some(Membership { workers_before: vec![member("a")], ..Membership::default() });
    });
    assert_judged(Verdict::Void, "the Locust workers changed", |r| {
        r.membership = Some(Membership { workers_before: vec![member("a")], ..Membership::default() });
        r.unmeasured =
            Some(Unmeasured::new(UnmeasuredKind::Broken, "not every worker handed over its counts"));
    });
    assert_judged(Verdict::Void, "lost users", |r| r.disturbed = Some("lost users".into()));
    assert_judged(Verdict::Void, "the statistics were reset while it was measured", |r| r.resets = 1);
    assert_judged(Verdict::Void, "the statistics were reset while it was measured", |r| {
        r.resets = 1;
        r.window.as_mut().unwrap().aggregated.requests = 0;
    });
    assert_eq!(judged(|r| (r.impossible, r.folded) = (3, 40)), Judgement::valid(), "facts, and no verdict");
}

#[test]
fn a_strained_generator_is_told_from_a_strained_service() {
    assert_judged(Verdict::LoadgenLimited, "worker locust-worker-7 used 95 % of its CPU", |r| {
        r.workers = vec![worker(4.0, 1), worker(19.0, 1)];
    });
    assert_judged(Verdict::LoadgenLimited, "late by 40.0 ms", |r| r.workers = vec![worker(4.0, 40)]);
    let mut stock = worker(0.0, 0);
    (stock.closing, stock.cpu_percent) = (None, 97.0);
    assert_judged(Verdict::LoadgenLimited, "used 97 % of a core", |r| r.workers = vec![stock]);
}

#[test]
fn a_measurement_that_is_not_steady_is_unstable() {
    assert_judged(Verdict::Unstable, "throughput of the last intervals goes from 40.0 to 150.0", |r| {
        let many = Histogram::of_ms([(100, 600)]);
        (r.intervals[2].primary, r.intervals[2].succeeded) = (many.clone(), Some(many));
    });
    assert_judged(Verdict::Unstable, "Little's law", |r| r.stopping_rule.as_mut().unwrap().users = Some(40));
    assert_judged(Verdict::Unstable, "window too short", |r| {
        r.intervals.iter_mut().for_each(|interval| interval.total_ms *= 30.0);
    });
    assert_judged(Verdict::Unstable, "200 of 1000 requests that were due", |r| {
        r.stopping_rule.as_mut().unwrap().users = None;
        r.open = Some(OpenCounts {
            rate: 50.0,
            due: 1000,
            started: 800,
            late: 9,
            late_max_ms: 1.0,
            skipped: 0,
            finished: None,
        });
    });
}

#[test]
fn one_replica_with_most_of_the_load_is_imbalanced() {
    assert_judged(Verdict::Imbalanced, "b got 1.60 times the mean", |r| {
        r.replicas = vec![replica("a", 160), replica("b", 640)];
    });
    let unknown = Replica { pod: "a".into(), ..Replica::default() };
    assert_eq!(judged(|r| r.replicas = vec![unknown, replica("b", 640)]), Judgement::valid());
    let full =
        |pod: &str, under_way: f64| Replica { under_way: Some(under_way), readings: 5, ..replica(pod, 400) };
    assert_judged(Verdict::Imbalanced, "b had 1.60 times the mean of the requests under way", |r| {
        r.replicas = vec![full("a", 4.0), full("b", 16.0)];
    });
}

#[test]
fn too_few_samples_matter_where_the_objective_needs_them() {
    let few = || record(0, 1, 20, 20);
    assert_eq!(judge_alone(&few()), Judgement::valid(), "nothing asks for a percentile");
    let mut asked = few();
    asked.objective.p95_ms = Some(500);
    let verdict = judge_alone(&asked);
    assert_eq!(
        verdict,
        Judgement::of(Verdict::Undersampled, "20 samples are too few for P95, which needs 90")
    );
}

#[test]
fn the_first_in_order_is_the_verdict_and_all_reasons_are_given() {
    let judgement = judged(|r| {
        r.objective.p999_ms = Some(1);
        r.replicas = vec![replica("a", 0), replica("b", 640)];
        r.workers = vec![worker(19.0, 1)];
        r.intervals.pop();
    });
    assert_eq!(judgement.verdict, Verdict::LoadgenLimited);
    assert_eq!(judgement.reasons.len(), 4, "{judgement:?}");
}
