mod schema;

use std::collections::BTreeMap;

use jiff::Timestamp;
use records::{
    Endpoint, Environment, Histogram, Interval, Mode, Objective, Record, Sample, Scenario, StoppingRule,
    VERSION, Window,
};

/// A valid record of 20 s with `requests` of 100 ms each and a think time that accounts for its users.
pub(crate) fn record(index: usize, replicas: u32, users: u32, requests: u64) -> Record {
    let endpoint = |method: &str, name: &str| Endpoint {
        method: method.into(),
        name: name.into(),
        requests,
        failures: 0,
        total_ms: requests as f64 * 100.0,
        histogram: Histogram::of_ms([(100, requests)]),
        succeeded: Histogram::of_ms([(100, requests)]),
        from_send: None,
    };
    let window = Window {
        seconds: 20.0,
        cut_spread_ms: 1.0,
        aggregated: endpoint("", "Aggregated"),
        endpoints: vec![endpoint("POST", "/predict")],
    };
    Record {
        version: VERSION,
        run_id: "run".into(),
        plan_hash: "hash".into(),
        scenario: Scenario {
            id: format!("closed-r{replicas}-w2-u{users}-1"),
            index,
            mode: Mode::Closed,
            replicas,
            workers: 2,
            users,
            rate: None,
            repeat: 1,
            drift: false,
        },
        attempt: 1,
        environment: Environment {
            cluster: "kind".into(),
            target: "http://inference:8000".into(),
            primary: "POST /predict".into(),
            image_ids: BTreeMap::new(),
            templates: BTreeMap::new(),
            limits: BTreeMap::new(),
            images: BTreeMap::from([("inference".into(), "fake-inference:1".into())]),
            generator: "Locust 2.46.6".into(),
            percentile_digits: 3,
            order_seed: None,
            question: records::Question::default(),
            provenance: records::Provenance::default(),
        }
        .into(),
        started_at: Timestamp::from_second(1_700_000_000).unwrap(),
        finished_at: Timestamp::from_second(1_700_000_030).unwrap(),
        timings_ms: BTreeMap::from([("scale".into(), 1200)]),
        window: Some(window.clone()),
        whole_run: Some(window),
        intervals: intervals(requests),
        stopping_rule: Some(StoppingRule {
            users: Some(users),
            think_s: (f64::from(users) * 20.0 / requests.max(1) as f64 - 0.1).max(0.0),
            duration_s: 20.0,
            stop_early_after_s: None,
            most_s: 40.0,
            exact: true,
            agreeing: 5,
            resolution_us: 1,
            quantiles: vec![0.95],
        }),
        objective: Objective::default(),
        open: None,
        membership: None,
        disturbed: None,
        impossible: 0,
        folded: 0,
        resets: 0,
        cut_off: 0,
        exceptions: vec![],
        unmeasured: None,
        samples: vec![Sample { at: 1.0, requests, failures: 0, p50_us: Some(100_000), p95_us: None, users }],
        replicas: vec![],
        workers: vec![],
        errors: vec![],
        left_out: vec![],
    }
}

/// The requests in five intervals.
fn intervals(requests: u64) -> Vec<Interval> {
    let interval = |requests: u64| Interval {
        seconds: 4.0,
        requests,
        total_ms: requests as f64 * 100.0,
        waited_s: None,
        primary: Histogram::of_ms([(100, requests)]),
        succeeded: Some(Histogram::of_ms([(100, requests)])),
        arrivals: None,
    };
    let fifth = requests / 5;
    (0..5).map(|at| interval(if at < 4 { fifth } else { requests - 4 * fifth })).collect()
}

#[test]
fn a_record_reads_back_from_its_line() {
    let record = record(0, 1, 20, 800);
    let line = serde_json::to_string(&record).unwrap();
    assert_eq!(records::read(&line).unwrap(), [record]);
}

#[test]
fn a_record_holds_no_verdict() {
    let line = serde_json::to_string(&record(0, 1, 20, 800)).unwrap();
    assert!(!line.contains("verdict") && !line.contains("judgement"), "{line}");
}
