//! Every request is counted once, windows are exact, and a stop ends the load.

use std::collections::BTreeMap;
use std::time::Duration;

use locust_matrix::load::{Load, LoadGenerator};
use locust_matrix::wait::{Condition, poll, silent};
use records::Endpoint;

use crate::on_both_versions;
use crate::support::{DEADMAN, Stub, cut, one_place, start, until};

/// Starts a load, cuts it twice and stops it. The window's count must lie between the stub's counts before and
/// after each cut; the total must equal the stub's count.
async fn totals_and_windows_are_exact(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&["--service-ms", "50", "--failure-rate", "0.05"]);
    let cluster = start(version, 2).await;
    let load = &cluster.load;
    let total = |served: &BTreeMap<String, (u64, u64)>| served.values().map(|(count, _)| count).sum::<u64>();
    let mut earlier = BTreeMap::new();
    for round in 1..=3 {
        load.start(Load::Closed { users: 20, spawn_rate: 20.0 }, &stub.url).await.unwrap();
        until(load, |snapshot| snapshot.is_running(20, 2)).await;
        let mut cuts = Vec::new();
        for _ in 0..2 {
            let before = total(&stub.served().await);
            let cut = cut(load).await;
            let after = total(&stub.served().await);
            cuts.push((before, cut, after));
            until(load, |snapshot| snapshot.now > cuts[0].1.now + 2.0).await;
        }
        let window = cuts[1].1.since(&cuts[0].1);
        // An answer that the stub has counted may not have reached its user yet: at most one for each user.
        let least = (cuts[1].0 - cuts[0].2).saturating_sub(20);
        let most = cuts[1].2 - cuts[0].0 + 20;
        assert!(
            (least..=most).contains(&window.aggregated.requests),
            "{version}, round {round}: {} requests, the stub served {least} to {most}",
            window.aggregated.requests
        );
        let Endpoint { requests, failures, histogram, succeeded, .. } = &window.aggregated;
        assert_eq!((histogram.count(), succeeded.count()), (*requests, requests - failures));
        assert!(*failures > 0, "{version}, round {round}: the stub fails one in twenty");
        load.stop().await.unwrap();
        until(load, |snapshot| snapshot.is_idle(2)).await;
        let whole = cut(load).await.whole();
        let served = stub.served().await;
        for endpoint in &whole.endpoints {
            let now = served[&endpoint.name];
            let then = earlier.get(&endpoint.name).copied().unwrap_or((0, 0));
            let counted = (endpoint.requests, endpoint.failures);
            assert_eq!(
                counted,
                (now.0 - then.0, now.1 - then.1),
                "{version}, round {round}: {}",
                endpoint.name
            );
        }
        let earlier_total = total(&earlier);
        assert_eq!(
            whole.aggregated.requests,
            total(&served) - earlier_total,
            "{version}, round {round}: all"
        );
        earlier = served;
    }
}

/// A load stops by itself after its driver has ended.
async fn load_without_a_driver_stops(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&[]);
    let cluster = start(version, 1).await;
    let load = &cluster.load;
    load.start(Load::Closed { users: 5, spawn_rate: 5.0 }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(5, 1)).await;
    load.snapshot(Duration::from_secs(2)).await.unwrap();
    // Longer than the dead-man's time.
    tokio::time::sleep(Duration::from_secs(3)).await;
    until(load, |snapshot| snapshot.is_idle(1)).await;
}

/// A stop ends a load even if its users are still being started.
async fn an_early_stop_ends_the_load(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&[]);
    let cluster = start(version, 2).await;
    let load = &cluster.load;
    for pause in [0, 0, 1, 3, 10, 30, 100, 300] {
        load.start(Load::Closed { users: 20, spawn_rate: 20.0 }, &stub.url).await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        // The driver repeats the stop, too, until the load has ended.
        let stopped = poll(Duration::from_secs(30), Duration::from_millis(100), &silent, || async {
            load.stop().await.unwrap();
            match load.snapshot(DEADMAN).await {
                Ok(snapshot) if snapshot.is_idle(2) => Condition::Met(()),
                Ok(snapshot) => Condition::NotMet(snapshot.describe()),
                Err(error) => Condition::NotMet(error.to_string()),
            }
        });
        stopped.await.unwrap_or_else(|timed_out| panic!("{version}, stopped after {pause} ms: {timed_out}"));
    }
}

on_both_versions!(totals_and_windows_are_exact, load_without_a_driver_stops, an_early_stop_ends_the_load);

#[tokio::test]
async fn a_load_that_locust_refuses_is_an_error() {
    let _turn = one_place().await;
    let cluster = start("2.47.0", 1).await;
    let error = cluster
        .load
        .start(Load::Closed { users: 5, spawn_rate: f64::NAN }, "http://127.0.0.1:1")
        .await
        .unwrap_err();
    assert!(error.message.contains("refused to start 5 users"), "{error}");
}
