use serde_json::{Value, json};

use super::*;

fn histogram(counts: &[(u64, u64)]) -> Histogram {
    counts.iter().copied().collect()
}

/// The module's answer after 10 requests of 100 ms, of which 2 failed.
fn closed() -> Value {
    let entry = |method: &str, name: &str| {
        json!({
            "method": method, "name": name, "requests": 10, "failures": 2, "total_ms": 1000.0,
            "min_ms": 100.0, "max_ms": 100.0, "last_at": 1010.0, "start_at": 1000.0,
            "histogram": {"100000": 10}, "succeeded": {"100000": 8},
        })
    };
    json!({
        "version": 3, "locust": "2.47.0", "now": 1010.5, "state": "running",
        "user_count": 5, "target_user_count": 5,
        "workers": [{
            "id": "w_1", "state": "running", "user_count": 5, "cpu_percent": 12.5,
            "memory_bytes": 60_000_000,
            "health": {
                "at": 1010.25, "cpu_seconds": 3.5, "cores": 2, "cpu_limit": 0.5, "periods": 100,
                "throttled": 7, "lag": {"0": 90, "1000": 9, "40000": 1},
            },
        }],
        "entries": [entry("POST", "/predict")], "total": entry("", "Aggregated"),
        "errors": [{"method": "POST", "name": "/predict", "error": "500", "occurrences": 2}],
        "exceptions": [{"message": "oh", "count": 1}], "open": null, "flush": null,
    })
}

fn parse(answer: Value) -> Snapshot {
    serde_json::from_value::<SnapshotAnswer>(answer).unwrap().into()
}

#[test]
fn failures_count_in_the_histogram_of_all_requests_only() {
    let snapshot = parse(closed());
    let window = snapshot.whole();
    assert!((window.seconds - 10.0).abs() < 1e-9);
    for endpoint in window.endpoints.iter().chain([&window.aggregated]) {
        assert_eq!(endpoint.histogram, histogram(&[(100_000, 10)]));
        assert_eq!(endpoint.succeeded, histogram(&[(100_000, 8)]));
        assert_eq!(endpoint.from_send, None, "the closed model has only one start");
    }
    assert_eq!(snapshot.open, None);
    assert_eq!((snapshot.errors[0].occurrences, snapshot.exceptions[0].count), (2, 1));
}

#[test]
fn a_worker_has_its_state_and_its_health() {
    let snapshot = parse(closed());
    assert!(snapshot.is_running(5, 1));
    let health = snapshot.workers[0].health.clone().unwrap();
    assert_eq!((health.cores, health.cpu_limit), (2, Some(0.5)));
    assert_eq!((health.periods, health.throttled), (Some(100), Some(7)));
    assert_eq!(health.lag, histogram(&[(0, 90), (1000, 9), (40_000, 1)]));
    assert!((health.at - 1010.25).abs() < 1e-9 && (health.cpu_seconds - 3.5).abs() < 1e-9);
}

#[test]
fn health_that_a_worker_does_not_report_is_none() {
    let mut answer = closed();
    answer["workers"][0]["health"] = json!({
        "at": 1.0, "cpu_seconds": 1.0, "cores": 8, "cpu_limit": null, "periods": null,
        "throttled": null, "lag": {},
    });
    let health = parse(answer).workers[0].health.clone().unwrap();
    assert_eq!((health.cpu_limit, health.periods, health.throttled), (None, None, None));
    let mut answer = closed();
    answer["workers"][0]["health"] = Value::Null;
    assert_eq!(parse(answer).workers[0].health, None);
}

#[test]
fn the_open_model_has_its_arrivals_and_a_histogram_from_the_send() {
    let mut answer = closed();
    answer["open"] = json!({
        "rate": 50.0, "due": 100, "started": 97, "late": 4, "late_max_ms": 31.5, "skipped": 3,
    });
    answer["entries"][0]["from_send"] = json!({"60000": 10});
    let snapshot = parse(answer);
    let open = snapshot.open.unwrap();
    assert_eq!((open.due, open.started, open.late, open.skipped), (100, 97, 4, 3));
    assert_eq!(open.finished, None, "a module that does not count them");
    let window = snapshot.since(&parse(closed()));
    assert_eq!(window.endpoints[0].from_send, Some(histogram(&[(60_000, 10)])), "there was none before");
}

#[test]
fn finished_arrivals_are_read_if_the_module_counts_them() {
    let mut answer = closed();
    answer["open"] = json!({
        "rate": 50.0, "due": 100, "started": 97, "finished": 90, "late": 4, "late_max_ms": 31.5, "skipped": 0,
    });
    assert_eq!(parse(answer).open.unwrap().finished, Some(90));
}

#[test]
fn the_optional_counters_are_zero_if_the_module_does_not_send_them() {
    let counters = |answer: Value| {
        let counts = parse(answer).counts;
        (counts.impossible, counts.folded, counts.resets)
    };
    assert_eq!(counters(closed()), (0, 0, 0));
    let mut answer = closed();
    (answer["impossible"], answer["folded"], answer["resets"]) = (json!(7), json!(300), json!(1));
    assert_eq!(counters(answer), (7, 300, 1));
}

#[test]
fn a_flush_is_a_cut_at_the_workers_time() {
    let mut answer = closed();
    answer["flush"] =
        json!({"complete": true, "workers": 1, "took_ms": 3.0, "spread_ms": 1.5, "at": 1010.25});
    let snapshot = parse(answer);
    let cut = snapshot.cut.unwrap();
    assert_eq!((cut.complete, cut.spread_ms), (true, Some(1.5)));
    assert!((snapshot.at() - 1010.25).abs() < 1e-9);
}

#[test]
fn an_unknown_state_is_read_as_unknown() {
    let mut answer = closed();
    answer["state"] = json!("dreaming");
    assert_eq!(parse(answer).state, State::Unknown);
}

#[test]
fn a_locust_with_the_module_can_do_everything() {
    let mut answer = closed();
    let can =
        |answer: &Value| serde_json::from_value::<SnapshotAnswer>(answer.clone()).unwrap().capabilities();
    let all = can(&answer);
    assert_eq!((all.name.as_str(), all.version.as_str()), ("Locust 2.47.0", "2.47.0"));
    assert!(all.exact_windows && all.live_counts && all.open_model.is_ok() && all.health);
    assert_eq!((all.percentile_digits, all.caveat), (3, None));
    answer["percentile_digits"] = json!(4);
    assert_eq!(can(&answer).percentile_digits, 4);
}
