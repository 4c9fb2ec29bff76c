//! Records and their published schema agree.

use std::path::Path;

use records::{
    Arrivals, Gate, Health, Histogram, LeftOut, Member, Membership, Mode, Objective, OpenCounts, Provenance,
    Record, Replica, Search, Unmeasured, UnmeasuredKind, WorkerHealth,
};
use serde_json::{Value, json};

use super::record;
use crate::events::tests::validate::{fields, problem, published};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/results.schema.json")).unwrap()
}

fn json(record: &Record) -> Value {
    serde_json::to_value(record).unwrap()
}

/// A record that has every field.
fn complete() -> Record {
    let mut record = record(0, 1, 20, 800);
    let histogram = || Histogram::of_ms([(100, 3)]);
    record.scenario.rate = Some(12.5);
    record.scenario.drift = true;
    let environment = &mut record.environment;
    environment.order_seed = Some(7);
    environment.image_ids = [("inference".to_owned(), ["sha256:1".to_owned()].into())].into();
    environment.templates = [("inference".to_owned(), "0a1b".to_owned())].into();
    environment.limits = [("inference".to_owned(), "CPU 200m".to_owned())].into();
    environment.question.gates =
        vec![Gate { replicas: Some(1), workers: Some(2), users: Some(20), rate: Some(12.5) }];
    environment.question.planned = Some(1);
    environment.question.search = Some(Search {
        mode: Mode::Open,
        replicas: vec![1, 2],
        workers: 2,
        most: 100.0,
        most_probes: 12,
        most_s: Some(60.0),
        goal_s: Some(0.5),
        pool: Some(20),
        most_pool: 1000,
        wanted: Some(50.0),
        confirm: true,
        confirmations: 1,
    });
    environment.provenance =
        Provenance { nodes: vec!["node".into()], settings: json!({"users": [20]}), ..Provenance::default() };
    let goals = Objective {
        p50_ms: Some(1),
        p90_ms: Some(2),
        p95_ms: Some(3),
        p99_ms: Some(4),
        p999_ms: Some(5),
        failures_pct: Some(1.0),
        rps: Some(10.0),
        ..Objective::default()
    };
    record.objective = Objective { endpoints: [("GET /".to_owned(), goals.clone())].into(), ..goals };
    record.intervals[0].waited_s = Some(1.5);
    record.intervals[0].arrivals = Some(Arrivals { due: 5, finished: 4 });
    record.window.as_mut().unwrap().endpoints[0].from_send = Some(histogram());
    record.open = Some(OpenCounts { finished: Some(3), ..OpenCounts::default() });
    let member = || vec![Member { name: "a".into(), id: "b".into(), restarts: 0 }];
    record.membership = Some(Membership { replicas_before: member(), ..Membership::default() });
    record.disturbed = Some("a pod is gone".into());
    record.exceptions = vec![("an exception".into(), 2)];
    record.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "it is down"));
    record.replicas = vec![Replica {
        pod: "inference-a".into(),
        requests: Some([("/predict 200".to_owned(), 3)].into()),
        under_way: Some(2.5),
        readings: 4,
    }];
    let health = || Health {
        at: 1.0,
        cpu_seconds: 2.0,
        cores: 2,
        cpu_limit: Some(0.5),
        periods: Some(3),
        throttled: Some(1),
        lag: histogram(),
    };
    let (id, opening, closing) = ("w".to_owned(), Some(health()), Some(health()));
    record.workers = vec![WorkerHealth { id, cpu_percent: 20.0, memory_bytes: 1, opening, closing }];
    record.errors = vec![("POST /predict: 503".into(), 4)];
    record.left_out = vec![LeftOut::WholeRunHistograms];
    record
}

#[test]
fn every_record_fits_the_schema() {
    let schema = schema();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/results-v2.jsonl");
    let mut all = records::read(&std::fs::read_to_string(path).unwrap()).unwrap();
    all.extend([record(0, 1, 20, 800), complete()]);
    for record in all {
        assert_eq!(problem(&json(&record), schema.as_object().unwrap(), &schema), None);
    }
}

#[test]
fn the_schema_has_each_field_and_no_others() {
    let schema = schema();
    let mut missing = published(&schema, "record");
    for field in fields(&json(&complete()), &schema, &schema, "record") {
        missing.remove(&field);
    }
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), [""; 0], "no record has them");
}

#[test]
fn a_wrong_type_an_unknown_word_and_an_unknown_field_do_not_fit() {
    let schema = schema();
    let fits = |record: &Value| problem(record, schema.as_object().unwrap(), &schema).is_none();
    for (pointer, wrong) in [
        ("/attempt", json!("1")),
        ("/scenario/mode", json!("half-open")),
        ("/window/aggregated/histogram", json!({"100": "many"})),
        ("/scenario/users", json!(-1)),
        ("/samples/0", json!({"unknown": 1})),
    ] {
        let mut record = json(&complete());
        *record.pointer_mut(pointer).unwrap() = wrong;
        assert!(!fits(&record), "{pointer}");
    }
}
