use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

fn histogram(counts: &[(u64, u64)]) -> Histogram {
    Histogram(counts.iter().copied().collect::<BTreeMap<_, _>>())
}

/// What the module answers, of 10 requests at 100 ms, 2 of them failed.
fn closed() -> Value {
    let entry = |method: &str, name: &str| {
        json!({
            "method": method, "name": name, "requests": 10, "failures": 2, "total_ms": 1000.0,
            "min_ms": 100.0, "max_ms": 100.0, "last_at": 1010.0, "start_at": 1000.0,
            "histogram": {"100": 10}, "succeeded": {"100": 8},
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
                "throttled": 7, "lag": {"0": 90, "1": 9, "40": 1},
            },
        }],
        "entries": [entry("POST", "/predict")], "total": entry("", "Aggregated"),
        "errors": [], "exceptions": [], "open": null, "flush": null,
    })
}

fn parse(answer: Value) -> Snapshot {
    serde_json::from_value(answer).unwrap()
}

#[test]
fn failures_are_in_all_and_not_in_succeeded() {
    let snapshot = parse(closed());
    let window = snapshot.whole();
    for endpoint in window.endpoints.iter().chain([&window.aggregated]) {
        assert_eq!(endpoint.histogram, histogram(&[(100, 10)]));
        assert_eq!(endpoint.succeeded, histogram(&[(100, 8)]));
        assert_eq!(endpoint.from_send, None, "there is only one start in the closed model");
    }
    assert_eq!(snapshot.open, None);
}

#[test]
fn a_window_has_the_difference_of_both_histograms() {
    let mut later = closed();
    later["entries"][0]["histogram"] = json!({"100": 12, "500": 1});
    later["entries"][0]["succeeded"] = json!({"100": 9, "500": 1});
    let window = parse(later).since(&parse(closed()));
    let endpoint = window.endpoint("POST /predict").unwrap();
    assert_eq!(endpoint.histogram, histogram(&[(100, 2), (500, 1)]));
    assert_eq!(endpoint.succeeded, histogram(&[(100, 1), (500, 1)]));
}

#[test]
fn a_worker_tells_its_health() {
    let health = parse(closed()).workers[0].health.clone().unwrap();
    assert_eq!((health.cores, health.cpu_limit), (2, Some(0.5)));
    assert_eq!((health.periods, health.throttled), (Some(100), Some(7)));
    assert_eq!(health.lag, histogram(&[(0, 90), (1, 9), (40, 1)]));
    assert!((health.at - 1010.25).abs() < 1e-9 && (health.cpu_seconds - 3.5).abs() < 1e-9);
}

#[test]
fn what_a_worker_does_not_know_is_not_known() {
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
fn the_open_model_has_its_counts_and_a_second_start() {
    let mut answer = closed();
    answer["open"] = json!({
        "rate": 50.0, "due": 100, "started": 97, "late": 4, "late_max_ms": 31.5, "skipped": 3,
    });
    answer["entries"][0]["from_send"] = json!({"60": 10});
    let snapshot = parse(answer);
    let open = snapshot.open.unwrap();
    assert_eq!((open.due, open.started, open.late, open.skipped), (100, 97, 4, 3));
    let window = snapshot.since(&parse(closed()));
    assert_eq!(window.endpoints[0].from_send, Some(histogram(&[(60, 10)])), "nothing was there before");
}
