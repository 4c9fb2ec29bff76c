//! The open model: requests arrive at a rate, and latency counts from the time when each was due.

use e2e::samples::DUMP;
use locust_matrix::load::{Load, LoadGenerator, Locust};
use locust_matrix::measure::Figures;
use records::{Endpoint, OpenCounts, Window};

use crate::on_both_versions;
use crate::support::{Setup, Stub, cut, one_place, run_for, start, stop, two_places, until};

/// Starts a load, and returns the window that begins when all users run.
async fn window(load: &Locust, asked: Load, url: &str, seconds: f64) -> (Window, Option<OpenCounts>) {
    load.start(asked, url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(asked.users(), 2)).await;
    run_for(load, 2.0).await;
    let opening = cut(load).await;
    run_for(load, seconds).await;
    let closing = cut(load).await;
    let open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
    (closing.since(&opening), open)
}

/// Returns the mean (s) of the gaps between the times when arrivals were due, and their coefficient of
/// variation (standard deviation / mean). When a busy machine sent them does not matter.
fn gaps(text: &str) -> (f64, f64) {
    let due = |line: &str| {
        let field = |at: usize| line.split('\t').nth(at).unwrap().parse::<f64>().unwrap();
        field(2) - (field(4) - field(3)) / 1000.0
    };
    let mut due: Vec<f64> = text.lines().map(due).collect();
    due.sort_by(f64::total_cmp);
    let gaps: Vec<f64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    (mean, variance.sqrt() / mean)
}

async fn arrivals_have_the_requested_rate(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&["--service-ms", "30", "--concurrency", "64", "--failure-rate", "0.1"]);
    let dump = [(DUMP, "/mnt/test/samples")];
    let cluster = Setup { env: &dump, ..Setup::new(version, 2) }.start().await;
    let load = &cluster.load;
    let rate = 100.0;
    let (window, open) = window(load, Load::Open { rate, users: 60, seed: 1 }, &stub.url, 20.0).await;
    let open = open.unwrap();
    let expected = rate * window.seconds;
    println!("{version}: {open:?}, {expected:.0} expected in {:.2} s", window.seconds);
    // Poisson: the standard deviation is the root of the mean. One in 16,000 differs by more than four.
    assert!((open.due as f64 - expected).abs() < 4.0 * expected.sqrt(), "{version}: {open:?}");
    // A user was always free. An arrival that was due just before a cut may start just after it.
    let waiting = open.due.abs_diff(open.started);
    assert!(waiting as f64 <= 0.02 * expected && open.skipped == 0, "{version}: {open:?}");
    // Requests under way grow by due minus finished. On average 2.4 are under way, so they do not grow by 20.
    let grown = open.due.abs_diff(open.finished.unwrap());
    assert!(grown < 20, "{version}: {open:?}");

    let last = stop(load, 2).await;
    let (open, whole) = (last.open.unwrap(), last.whole());
    let served: u64 = stub.served().await.values().map(|(count, _)| count).sum();
    assert_eq!((open.started, whole.aggregated.requests), (served, served), "{version}");
    assert_eq!((open.finished, open.due), (Some(served), served + open.skipped), "{version}: {open:?}");
    let Endpoint { requests, failures, histogram, succeeded, from_send, .. } = &whole.aggregated;
    assert_eq!(histogram.count(), *requests);
    assert_eq!(from_send.as_ref().unwrap().count(), *requests);
    assert_eq!(
        succeeded.count(),
        requests - failures,
        "{version}: failures also count from the time when they were due"
    );
    let text = std::fs::read_to_string(cluster.folder.path().join("samples")).unwrap();
    let (mean, cv) = gaps(&text);
    println!("{version}: gaps of {:.2} ms, cv {cv:.3}", 1000.0 * mean);
    assert!((0.9..1.1).contains(&cv), "{version}: exponential gaps have a cv of 1, these {cv}");

    // A test of the closed model after it is not affected.
    load.start(Load::Closed { users: 4, spawn_rate: 4.0 }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(4, 2)).await;
    run_for(load, 2.0).await;
    let closed = stop(load, 2).await;
    assert_eq!((closed.open, closed.whole().aggregated.from_send), (None, None), "{version}");
    // Four users without think time, 30 ms each: far more than the rate before, if not 4 / 0.03.
    assert!(closed.counts.total.requests > 200, "{version}: {}", closed.counts.total.requests);
}

async fn constant_arrivals_are_even_over_all_workers(version: &str) {
    let _turn = two_places().await;
    let stub = Stub::start(&["--service-ms", "5", "--concurrency", "64"]);
    let cluster = start(version, 2).await;
    let form = [
        ("user_count", "20"),
        ("spawn_rate", "20"),
        ("host", &stub.url),
        ("rate", "50"),
        ("arrivals", "constant"),
    ];
    let client = reqwest::Client::new();
    let url = format!("{}/matrix/swarm", cluster.url);
    let answer = client.post(&url).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("\"success\": true"), "{answer}");
    let load = &cluster.load;
    until(load, |snapshot| snapshot.open.is_some_and(|open| open.due > 0)).await;
    let opening = cut(load).await;
    run_for(load, 6.0).await;
    let closing = cut(load).await;
    let open = closing.open.unwrap().since(&opening.open.unwrap());
    let expected = 50.0 * closing.since(&opening).seconds;
    // Each worker may be cut one arrival early or late at both ends.
    assert!((open.due as f64 - expected).abs() <= 4.0, "{version}: {open:?}, {expected} expected");

    let again = client.post(&url).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(again.contains("a test is running"), "{version}: {again}");
    let wrong = [("rate", "0"), ("user_count", "1"), ("spawn_rate", "1")];
    let wrong = client.post(&url).form(&wrong).send().await.unwrap().text().await.unwrap();
    assert!(wrong.contains("rate must be above 0"), "{version}: {wrong}");

    // A rate that came with a request which Locust itself refused does not apply to the next test.
    stop(load, 2).await;
    let refused = [("rate", "50"), ("user_count", "many"), ("spawn_rate", "1")];
    let refused = client.post(&url).form(&refused).send().await.unwrap().text().await.unwrap();
    assert!(refused.contains("Invalid user_count"), "{version}: {refused}");
    load.start(Load::Closed { users: 2, spawn_rate: 2.0 }, &stub.url).await.unwrap();
    let closed = until(load, |snapshot| snapshot.is_running(2, 2)).await;
    assert_eq!(closed.open, None, "{version}");
}

async fn only_the_open_model_sees_a_stall(version: &str) {
    let _turn = one_place().await;
    // At the same time, each with a stub and a Locust of its own.
    let (closed, open) = tokio::join!(
        p99_with_stalls(version, Load::Closed { users: 5, spawn_rate: 5.0 }),
        p99_with_stalls(version, Load::Open { rate: 60.0, users: 200, seed: 1 }),
    );
    // For a tenth of the time, there is no answer. Arrivals at random times therefore have a P99 of 0.9 s. Five
    // users who wait for their answers send five of a thousand requests into the stalls, which a P99 hides.
    assert!(closed < 500_000, "{version}: closed: {closed} µs");
    assert!(open > 800_000, "{version}: open: {open} µs");
}

/// Returns the P99 (µs) of a load during which the stub stalls three times, for one second in ten.
async fn p99_with_stalls(version: &str, asked: Load) -> u64 {
    let stalls = ["--stall-ms", "1000", "--stall-every", "10"];
    let stub = Stub::start(&[&["--service-ms", "20", "--concurrency", "200"][..], &stalls].concat());
    let cluster = start(version, 2).await;
    let load = &cluster.load;
    let (window, open) = window(load, asked, &stub.url, 30.0).await;
    stop(load, 2).await;
    let figures = Figures::of(window.endpoint("POST /predict").unwrap(), window.seconds);
    println!(
        "{version}, 1 s stall every 10 s, {asked:?}: {:.1}/s, P50 {:?} P95 {:?} P99 {:?} max {:?} µs; {open:?}",
        figures.rps, figures.p50_us, figures.p95_us, figures.p99_us, figures.max_us
    );
    assert!(figures.max_us.unwrap() > 900_000, "{version}, {asked:?}: a request met a stall");
    figures.p99_us.unwrap()
}

async fn arrivals_without_a_free_user_wait(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&["--service-ms", "500", "--concurrency", "64"]);
    let cluster = start(version, 2).await;
    let load = &cluster.load;
    // 4 users can do 4 / (0.8 × 0.5 s) = 10/s.
    let (window, open) = window(load, Load::Open { rate: 20.0, users: 4, seed: 1 }, &stub.url, 10.0).await;
    let open = open.unwrap();
    assert_eq!(open.skipped, 0, "{version}: nothing is skipped while the load runs");
    assert!(open.started < open.due && open.late * 2 > open.started, "{version}: {open:?}");
    let predict = window.endpoint("POST /predict").unwrap();
    let (due, sent) = (&predict.histogram, predict.from_send.as_ref().unwrap());
    assert!(sent.quantile(0.5).unwrap() < 700_000, "{version}: the service itself takes half a second");
    assert!(due.quantile(0.5).unwrap() > 1_500_000, "{version}: arrivals waited for seconds");
    // Due are those that are finished, those that have one of the 4 users, and those that wait.
    let now = cut(load).await.open.unwrap();
    let finished = now.finished.unwrap();
    assert!((1..=4).contains(&(now.started - finished)), "{version}: {now:?}");
    assert!(now.due - now.started > 50, "{version}: {now:?}");
    // 20/s are due and 10/s finish.
    let grown = open.due - open.finished.unwrap();
    assert!((60..=140).contains(&grown), "{version}: {open:?}");
    let last = stop(load, 2).await;
    let open = last.open.unwrap();
    assert_eq!(open.due, open.started + open.skipped, "{version}: {open:?}");
    assert_eq!(open.finished, Some(open.started), "{version}: {open:?}");
    assert!(open.skipped > 0 && open.started == last.counts.total.requests, "{version}: {open:?}");
}

on_both_versions!(
    arrivals_have_the_requested_rate,
    constant_arrivals_are_even_over_all_workers,
    only_the_open_model_sees_a_stall,
    arrivals_without_a_free_user_wait,
);
