use std::collections::BTreeMap;

use super::super::tests::record;
use super::super::{Membership, Replica, WorkerHealth};
use super::*;
use crate::config::Objective;
use crate::measure::{Health, Histogram, Member, OpenCounts};

/// 20 s of 20 users on one replica with 4 slots of 100 ms: 40 requests/s, all to the primary endpoint.
fn good() -> Record {
    record(0, 1, 20, 800)
}

fn judged(spoil: impl FnOnce(&mut Record)) -> Verdict {
    let mut record = good();
    spoil(&mut record);
    judge(&record)
}

fn assert_judged(judgement: Judgement, words: &str, spoil: impl FnOnce(&mut Record)) {
    let verdict = judged(spoil);
    assert_eq!(verdict.judgement, judgement, "{verdict:?}");
    assert!(verdict.reasons[0].contains(words), "{verdict:?}");
}

fn endpoint(record: &mut Record) -> &mut crate::measure::Endpoint {
    &mut record.window.as_mut().unwrap().endpoints[0]
}

fn worker(cpu_seconds: f64, lag_ms: u32) -> WorkerHealth {
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
        closing: Some(at(120.0, 5.0 + cpu_seconds, Histogram(BTreeMap::from([(lag_ms, 200)])))),
    }
}

fn replica(pod: &str, requests: u64) -> Replica {
    Replica { pod: pod.into(), requests: Some(BTreeMap::from([("/predict 200".into(), requests)])) }
}

fn member(id: &str) -> Member {
    Member { name: format!("inference-{id}"), id: id.into(), restarts: 0 }
}

#[test]
fn a_good_scenario_is_valid_without_an_objective() {
    assert_eq!(judge(&good()), Verdict::valid());
    let with_neighbours = judged(|r| {
        r.workers = vec![worker(8.0, 1)];
        r.replicas = vec![replica("a", 400), replica("b", 420)];
        r.objective = Objective { p95_ms: Some(500), ..Objective::default() };
    });
    assert_eq!(with_neighbours, Verdict::valid());
}

#[test]
fn what_measured_nothing_has_failed() {
    assert_judged(Judgement::Failed, "no window", |r| r.window = None);
    assert_judged(Judgement::Failed, "no request finished", |r| {
        r.window.as_mut().unwrap().aggregated.requests = 0;
    });
    assert_judged(Judgement::Failed, "every request to POST /predict failed", |r| endpoint(r).failures = 800);
    assert_judged(Judgement::Failed, "no request to GET /other", |r| r.setting.primary = "GET /other".into());
    assert_judged(Judgement::Failed, "raised 3 times: NameError", |r| {
        r.exceptions = vec![("NameError".into(), 3)];
    });
    assert_judged(Judgement::Infeasible, "no room", |r| {
        r.unmeasured = Some(Verdict::of(Judgement::Infeasible, "no room"));
    });
}

#[test]
fn members_that_changed_make_it_void() {
    assert_judged(Judgement::Void, "inference-a is gone, inference-b came", |r| {
        r.membership = Some(Membership {
            replicas_before: vec![member("a")],
            replicas_after: vec![member("b")],
            ..Membership::default()
        });
    });
    assert_judged(Judgement::Void, "the Locust workers changed", |r| {
        r.membership = Some(Membership { workers_before: vec![member("a")], ..Membership::default() });
    });
    assert_judged(Judgement::Void, "the Locust workers changed", |r| {
        r.membership = Some(Membership { workers_before: vec![member("a")], ..Membership::default() });
        r.unmeasured = Some(Verdict::of(Judgement::Failed, "not every worker handed over its counts"));
    });
    assert_judged(Judgement::Void, "lost users", |r| r.disturbed = Some("lost users".into()));
}

#[test]
fn a_strained_generator_is_told_from_a_strained_service() {
    assert_judged(Judgement::LoadgenLimited, "worker locust-worker-7 used 95 % of its CPU", |r| {
        r.workers = vec![worker(4.0, 1), worker(19.0, 1)];
    });
    assert_judged(Judgement::LoadgenLimited, "late by 40 ms", |r| r.workers = vec![worker(4.0, 40)]);
    let mut stock = worker(0.0, 0);
    (stock.closing, stock.cpu_percent) = (None, 97.0);
    assert_judged(Judgement::LoadgenLimited, "used 97 % of a core", |r| r.workers = vec![stock]);
}

#[test]
fn what_does_not_settle_is_unstable() {
    assert_judged(Judgement::Unstable, "throughput of the last windows", |r| {
        r.parts[2].primary = Histogram(BTreeMap::from([(100, 600)]));
    });
    assert_judged(Judgement::Unstable, "Little's law", |r| r.course.as_mut().unwrap().users = Some(40));
    assert_judged(Judgement::Unstable, "window too short", |r| {
        r.parts.iter_mut().for_each(|part| part.total_ms *= 30.0);
    });
    assert_judged(Judgement::Unstable, "200 of 1000 requests that were due", |r| {
        r.course.as_mut().unwrap().users = None;
        r.open =
            Some(OpenCounts { rate: 50.0, due: 1000, started: 800, late: 9, late_max_ms: 1.0, skipped: 0 });
    });
}

#[test]
fn one_replica_with_most_of_the_load_is_imbalanced() {
    assert_judged(Judgement::Imbalanced, "b got 1.60 times the mean", |r| {
        r.replicas = vec![replica("a", 160), replica("b", 640)];
    });
    let unknown = Replica { pod: "a".into(), requests: None };
    assert_eq!(judged(|r| r.replicas = vec![unknown, replica("b", 640)]), Verdict::valid());
}

#[test]
fn too_few_samples_matter_where_the_objective_needs_them() {
    let few = || record(0, 1, 20, 20);
    assert_eq!(judge(&few()), Verdict::valid(), "nothing asks for a percentile");
    let mut asked = few();
    asked.objective.p95_ms = Some(500);
    let verdict = judge(&asked);
    assert_eq!(
        verdict,
        Verdict::of(Judgement::Undersampled, "20 samples are too few for P95, which needs 90")
    );
}

#[test]
fn the_first_in_order_is_the_judgement_and_all_reasons_are_told() {
    let verdict = judged(|r| {
        r.objective.p999_ms = Some(1);
        r.replicas = vec![replica("a", 0), replica("b", 640)];
        r.workers = vec![worker(19.0, 1)];
        r.parts.pop();
    });
    assert_eq!(verdict.judgement, Judgement::LoadgenLimited);
    assert_eq!(verdict.reasons.len(), 4, "{verdict:?}");
}

#[test]
fn what_an_older_version_has_recorded_stands() {
    let verdict = Verdict::of(Judgement::Void, "a replica is gone");
    let older = judged(|r| {
        (r.version, r.verdict) = (1, verdict.clone());
        r.parts.clear();
    });
    assert_eq!(older, verdict);
}
