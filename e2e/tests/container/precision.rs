//! The driver's percentiles agree with the raw samples of the client.

use std::collections::BTreeMap;

use locust_matrix::load::{Load, LoadGenerator};

use crate::on_both_versions;
use crate::support::{Setup, Stub, one_place, run_for, stop, until};

/// One request as the module recorded it.
struct Sample {
    ms: f64,
    succeeded: bool,
}

/// Returns all requests by endpoint, and all of them together as `Aggregated`.
fn samples(text: &str) -> BTreeMap<String, Vec<Sample>> {
    let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for line in text.lines() {
        let field: Vec<&str> = line.split('\t').collect();
        let (ms, succeeded) = (field[3].parse().unwrap(), field[5] == "1");
        for name in [field[1], "Aggregated"] {
            samples.entry(name.to_owned()).or_default().push(Sample { ms, succeeded });
        }
    }
    samples
}

/// The percentile of sorted samples by nearest rank.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(percent * sorted.len()).div_ceil(100).max(1) - 1]
}

/// The percentile as Locust itself computes it: with two digits, and one rank too high.
fn stock(sorted: &[f64], percent: usize) -> f64 {
    let ms = sorted[(percent * sorted.len() / 100).min(sorted.len() - 1)];
    let step = if ms < 100.0 { 1.0 } else { 10_f64.powf(ms.log10().floor() - 1.0) };
    (ms / step).round_ties_even() * step
}

async fn percentiles_are_those_of_the_raw_samples(version: &str) {
    let _turn = one_place().await;
    let arguments = ["--service", "log-normal", "--service-ms", "120", "--concurrency", "16"];
    let stub = Stub::start(&[&arguments[..], &["--failure-rate", "0.05"]].concat());
    let dump = [("LOCUST_MATRIX_DUMP", "/mnt/test/samples")];
    let cluster = Setup { env: &dump, ..Setup::new(version, 2) }.start().await;
    let load = &cluster.load;
    load.start(Load::Closed { users: 16, spawn_rate: 16.0 }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(16, 2)).await;
    run_for(load, 15.0).await;
    let whole = stop(load, 2).await.whole();
    let raw = samples(&std::fs::read_to_string(cluster.folder.path().join("samples")).unwrap());
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
        let sorted = |keep: fn(&Sample) -> bool| {
            let mut times: Vec<f64> = raw.iter().filter(|s| keep(s)).map(|s| s.ms).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        for (what, histogram, times) in [
            ("all", &endpoint.histogram, sorted(|_| true)),
            ("succeeded", &endpoint.succeeded, sorted(|sample| sample.succeeded)),
        ] {
            assert_eq!(histogram.count(), times.len() as u64, "{version}: {name}, {what}");
            for percent in [50, 95, 99] {
                let exact = percentile(&times, percent);
                let ours = f64::from(histogram.percentile(percent as f64 / 100.0).unwrap());
                let theirs = stock(&times, percent);
                println!(
                    "{version} {name}, {what}: P{percent} {exact:.2} ms; here {ours} ({:+.2} %), stock Locust \
                     {theirs} ({:+.2} %)",
                    100.0 * (ours / exact - 1.0),
                    100.0 * (theirs / exact - 1.0),
                );
                assert!((ours - exact).abs() <= 0.01 * exact + 0.5, "{version}: {name}, {what}: P{percent}");
            }
        }
    }
    let predict = whole.endpoint("POST /predict").unwrap();
    assert!(predict.failures > 0 && predict.succeeded.count() == predict.requests - predict.failures);
    let (sum, count) = stub.times("inference_response_seconds").await;
    let (here, there) = (predict.total_ms / predict.requests as f64, 1000.0 * sum / count);
    println!("{version}: mean {here:.2} ms here, {there:.2} ms in the stub: {:.2} ms between", here - there);
}

on_both_versions!(percentiles_are_those_of_the_raw_samples);
