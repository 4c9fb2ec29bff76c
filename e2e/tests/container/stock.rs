//! Locust with a locustfile that does not import our module.

use std::time::Duration;

use locust_matrix::exit::ExitCode;
use locust_matrix::load::{Load, LoadGenerator, Locust};
use locust_matrix::measure::Figures;

use crate::on_both_versions;
use crate::support::{Setup, Stub, cut, one_place, run_for, stop, two_places, until};

/// The manifests' own locustfile without the import.
fn script() -> String {
    let script = include_str!("../../../manifests/base/locustfile.py");
    let stripped: Vec<&str> = script.lines().filter(|line| !line.contains("locust_matrix")).collect();
    assert_eq!(stripped.len() + 1, script.lines().count(), "it has one import of the module");
    stripped.join("\n")
}

async fn a_window_is_exact_except_for_unsent_samples(version: &str) {
    let _turn = two_places().await;
    let script = script();
    let stub = Stub::start(&["--service-ms", "50", "--failure-rate", "0.05", "--concurrency", "20"]);
    let setup = Setup { script: Some(&script), stop_timeout: "5", ..Setup::new(version, 2) };
    let cluster = setup.start().await;
    let load = &cluster.load;
    let total = async || stub.served().await.values().map(|(count, _)| count).sum::<u64>();
    load.start(Load::Closed { users: 10, spawn_rate: 10.0 }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(10, 2)).await;
    let can = load.capabilities().await.unwrap();
    assert_eq!((can.version.as_str(), can.percentile_digits, can.open_model.is_ok()), (version, 2, false));
    let before = total().await;
    let opening = cut(load).await;
    run_for(load, 12.0).await;
    let closing = cut(load).await;
    let served = total().await - before;
    let window = closing.since(&opening);
    let off = window.aggregated.requests as f64 - served as f64;
    let rate = served as f64 / window.seconds;
    println!("{version}: {} counted, {served} served in {:.2} s", window.aggregated.requests, window.seconds);
    assert!(off.abs() <= 3.0 * rate + 20.0, "{version}: off by {off} at {rate}/s");
    let figures = Figures::of(window.endpoint("POST /predict").unwrap(), window.seconds);
    println!("{version}: {figures:?}");
    assert!((50_000..=80_000).contains(&figures.p50_us.unwrap()), "{version}: {figures:?}");
    assert!(figures.failures_pct.unwrap() > 0.0, "{version}");

    let last = stop(load, 2).await;
    let counted = last.counts.total.requests as f64;
    let served = (total().await - before) as f64;
    // All samples have arrived now. Only the requests under way at the reset make a difference.
    assert!((counted - served).abs() <= 3.0 * rate + 20.0, "{version}: {counted} of {served}");
    assert!(counted >= window.aggregated.requests as f64, "{version}");
    assert!(last.errors.iter().any(|error| error.name == "/predict"), "{version}");
    let error = load.start(Load::Open { rate: 5.0, users: 5, seed: 1 }, &stub.url).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Usage, "{version}: {error}");
}

on_both_versions!(a_window_is_exact_except_for_unsent_samples);

#[tokio::test]
async fn run_time_stops_load_whose_driver_is_gone_on_2_47_0() {
    let _turn = one_place().await;
    let script = script();
    let stub = Stub::start(&[]);
    let setup = Setup { script: Some(&script), stop_timeout: "2", ..Setup::new("2.47.0", 1) };
    let cluster = setup.start().await;
    let load = Locust::new(&cluster.url).unwrap().with_longest(Duration::from_secs(8));
    load.start(Load::Closed { users: 4, spawn_rate: 4.0 }, &stub.url).await.unwrap();
    until(&load, |snapshot| snapshot.is_running(4, 1)).await;
    // Reading the state does not keep this load alive.
    until(&load, |snapshot| snapshot.is_idle(1)).await;
}
