//! The driver's percentiles against raw samples from the client's side, and samples that no percentile may
//! contain.

use std::collections::BTreeMap;

use e2e::samples::{self, DUMP, percentile, sorted_ms};
use locust_matrix::load::{Load, LoadGenerator};
use serde_json::{Value, json};

use crate::on_both_versions;
use crate::support::{Cluster, Setup, Stub, one_place, run_for, stop, two_places, until};

/// The percentile that Locust itself would print: two digits, and one rank too high.
fn stock(sorted: &[f64], percent: usize) -> f64 {
    let ms = sorted[(percent * sorted.len() / 100).min(sorted.len() - 1)];
    let step = if ms < 100.0 { 1.0 } else { 10_f64.powf(ms.log10().floor() - 1.0) };
    (ms / step).round_ties_even() * step
}

async fn percentiles_are_those_of_the_raw_samples(version: &str) {
    let _turn = one_place().await;
    let arguments = ["--service", "log-normal", "--service-ms", "120", "--concurrency", "16"];
    let stub = Stub::start(&[&arguments[..], &["--failure-rate", "0.05"]].concat());
    let dump = [(DUMP, "/mnt/test/samples")];
    let cluster = Setup { env: &dump, ..Setup::new(version, 2) }.start().await;
    let load = &cluster.load;
    load.start(Load::Closed { users: 16, spawn_rate: 16.0 }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(16, 2)).await;
    run_for(load, 15.0).await;
    let whole = stop(load, 2).await.whole();
    let raw = samples::read(&cluster.folder.path().join("samples"));
    let served = stub.served().await;
    for endpoint in whole.endpoints.iter().chain([&whole.aggregated]) {
        let name = &endpoint.name;
        let counted: u64 = if endpoint.method.is_empty() {
            served.values().map(|(count, _)| count).sum()
        } else {
            served[name].0
        };
        let raw = &raw[name];
        assert_eq!((raw.len() as u64, endpoint.requests), (counted, counted), "{version}: {name}");
        for (what, histogram, times) in [
            ("all", &endpoint.histogram, sorted_ms(raw)),
            ("succeeded", &endpoint.succeeded, sorted_ms(raw.iter().filter(|sample| sample.succeeded))),
        ] {
            assert_eq!(histogram.count(), times.len() as u64, "{version}: {name}, {what}");
            for percent in [50, 95, 99] {
                let exact = percentile(&times, percent);
                let ours = histogram.quantile(percent as f64 / 100.0).unwrap() as f64 / 1000.0;
                let theirs = stock(&times, percent);
                println!(
                    "{version} {name}, {what}: P{percent} {exact:.2} ms; here {ours} ({:+.2} %), stock Locust \
                     {theirs} ({:+.2} %)",
                    100.0 * (ours / exact - 1.0),
                    100.0 * (theirs / exact - 1.0),
                );
                assert!((ours - exact).abs() <= 0.01 * exact + 0.05, "{version}: {name}, {what}: P{percent}");
            }
        }
    }
    let predict = whole.endpoint("POST /predict").unwrap();
    assert!(predict.failures > 0 && predict.succeeded.count() == predict.requests - predict.failures);
    let (sum, count) = stub.times("inference_response_seconds").await;
    let (here, there) = (predict.total_ms / predict.requests as f64, 1000.0 * sum / count);
    println!("{version}: mean {here:.2} ms here, {there:.2} ms in the stub: {:.2} ms between", here - there);
}

async fn the_median_of_a_fast_service_is_that_of_the_raw_samples(version: &str) {
    let _turn = two_places().await;
    for service_ms in ["1.4", "4.2", "37"] {
        let stub = Stub::start(&["--service-ms", service_ms]);
        let dump = [(DUMP, "/mnt/test/samples")];
        let cluster = Setup { env: &dump, ..Setup::new(version, 1) }.start().await;
        let load = &cluster.load;
        load.start(Load::Closed { users: 1, spawn_rate: 1.0 }, &stub.url).await.unwrap();
        until(load, |snapshot| snapshot.is_running(1, 1)).await;
        run_for(load, 6.0).await;
        let whole = stop(load, 1).await.whole();
        let raw = samples::read(&cluster.folder.path().join("samples"));
        let times = sorted_ms(&raw["/predict"]);
        let exact = percentile(&times, 50);
        let predict = whole.endpoint("POST /predict").unwrap();
        let ours = predict.histogram.quantile(0.5).unwrap() as f64 / 1000.0;
        let (sum, count) = stub.times("inference_service_seconds").await;
        println!(
            "{version}, {service_ms} ms: P50 {ours} ms, {exact:.3} ms in {} raw samples; the stub's mean service \
             took {:.3} ms",
            times.len(),
            1000.0 * sum / count
        );
        assert_eq!(predict.histogram.count(), times.len() as u64, "{version}: {service_ms} ms");
        assert!(times.len() > 50, "{version}: {service_ms} ms: {} samples", times.len());
        let service: f64 = service_ms.parse().unwrap();
        assert!(exact >= service, "{version}: {exact} ms is less than the service of {service} ms");
        assert!(
            (ours - exact).abs() <= 0.01 * exact + 0.05,
            "{version}: {ours} ms, {exact} ms in raw samples"
        );
    }
}

/// Reports requests with known response times (ms); it needs no server.
const REPORTS: &str = r#"
import math

import locust_matrix  # noqa: F401

from locust import User, constant, task

KNOWN = (0.0, 0.0007, 0.35149, 1.4, 4.2, 37.04, 2345.6)
IMPOSSIBLE = (-1.0, math.nan, math.inf, 86_400_001.0, "soon")
NAMES = 300
numbers = iter(range(10**9))


class ReportingUser(User):
    wait_time = constant(0.02)

    @task
    def report(self):
        for time in KNOWN:
            self.fire("/known", time)
        for time in IMPOSSIBLE:
            self.fire("/impossible", time)
            self.fire("/impossible", time, ValueError("wrong"))
        for _ in range(10):
            self.fire(f"/id/{next(numbers) % NAMES}", 5.0)

    def fire(self, name, time, exception=None):
        self.environment.events.request.fire(
            request_type="GET",
            name=name,
            response_time=time,
            response_length=0,
            exception=exception,
            context={},
            start_time=0.0,
        )
"#;

/// The module's own answer, after a flush.
async fn snapshot(cluster: &Cluster) -> Value {
    let url = format!("{}/matrix/snapshot", cluster.url);
    let answer = reqwest::Client::new().post(url).form(&[("flush", "1")]).send().await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// Presses the button Reset of Locust's page.
async fn reset(cluster: &Cluster) {
    let (url, client) = (format!("{}/stats/reset", cluster.url), reqwest::Client::new());
    // 2.47 wants a POST, and the versions before it a GET.
    let answer = client.post(&url).send().await.unwrap();
    if !answer.status().is_success() {
        assert!(client.get(&url).send().await.unwrap().status().is_success());
    }
}

fn entry<'a>(snapshot: &'a Value, name: &str) -> &'a Value {
    let entries = snapshot["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no entry {name}"))
}

async fn impossible_samples_are_set_apart_further_names_are_folded_and_resets_are_counted(version: &str) {
    let _turn = one_place().await;
    let cluster = Setup { script: Some(REPORTS), ..Setup::new(version, 2) }.start().await;
    let load = &cluster.load;
    let start = async || {
        load.start(Load::Closed { users: 4, spawn_rate: 4.0 }, "http://127.0.0.1:1").await.unwrap();
        until(load, |snapshot| snapshot.is_running(4, 2)).await;
        run_for(load, 4.0).await;
    };
    start().await;
    stop(load, 2).await;
    let first = snapshot(&cluster).await;
    assert_eq!((&first["version"], &first["resets"]), (&json!(3), &json!(0)), "{version}");

    let (known, impossible) = (entry(&first, "/known"), entry(&first, "/impossible"));
    let laps = known["requests"].as_u64().unwrap() / 7;
    assert!(laps > 100, "{version}: {laps} laps");
    let buckets = ["0", "1", "351", "1400", "4200", "37000", "2350000"];
    let expected: BTreeMap<&str, u64> = buckets.map(|bucket| (bucket, laps)).into();
    assert_eq!(known["histogram"], json!(expected), "{version}");
    assert_eq!(known["succeeded"], json!(expected), "{version}");

    assert_eq!(impossible["requests"], json!(10 * laps), "{version}");
    assert_eq!(impossible["failures"], json!(5 * laps), "{version}");
    assert_eq!((&impossible["histogram"], &impossible["total_ms"]), (&json!({}), &json!(0)), "{version}");
    assert_eq!(first["impossible"], json!(10 * laps), "{version}");

    // 302 names, of which 200 have an entry of their own.
    assert_eq!(first["folded"], json!(102), "{version}");
    let entries = first["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 201, "{version}");
    let sum: u64 = entries.iter().map(|entry| entry["requests"].as_u64().unwrap()).sum();
    assert_eq!(first["total"]["requests"], json!(sum), "{version}");
    assert_eq!(sum, 27 * laps, "{version}");
    let other = entry(&first, "(other endpoints)");
    assert_eq!(other["histogram"], json!({"5000": other["requests"]}), "{version}");

    // The start of a test sets everything to zero, and that is not counted as a reset.
    start().await;
    let before = snapshot(&cluster).await;
    assert_eq!(before["resets"], json!(0), "{version}");
    reset(&cluster).await;
    let after = snapshot(&cluster).await;
    assert_eq!(after["resets"], json!(1), "{version}");
    let requests = |snapshot: &Value| snapshot["total"]["requests"].as_u64().unwrap();
    assert!(requests(&after) < requests(&before), "{version}: the counters fell back");
    stop(load, 2).await;
    let pages = ["/stats/requests", "/stats/requests/csv", "/stats/report", "/exceptions", "/"];
    for page in pages {
        let answer = reqwest::get(format!("{}{page}", cluster.url)).await.unwrap();
        assert!(answer.status().is_success(), "{version}: {page}: {}", answer.status());
    }
}

on_both_versions!(
    percentiles_are_those_of_the_raw_samples,
    the_median_of_a_fast_service_is_that_of_the_raw_samples,
    impossible_samples_are_set_apart_further_names_are_folded_and_resets_are_counted,
);
