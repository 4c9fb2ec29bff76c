use records::Histogram;

use super::*;

fn histogram(counts: &[(u64, u64)]) -> Histogram {
    counts.iter().copied().collect()
}

fn endpoint(counts: &[(u64, u64)], succeeded: &[(u64, u64)]) -> Endpoint {
    let (histogram, succeeded) = (histogram(counts), histogram(succeeded));
    Endpoint {
        method: "POST".into(),
        name: "/predict".into(),
        requests: histogram.count(),
        failures: histogram.count() - succeeded.count(),
        total_ms: histogram.total_ms(),
        histogram,
        succeeded,
        from_send: None,
    }
}

fn counted(now: f64, endpoint: Endpoint) -> Snapshot {
    let total = Endpoint { method: String::new(), name: "Aggregated".into(), ..endpoint.clone() };
    let counts = Counts { total, endpoints: vec![endpoint], ..Counts::default() };
    Snapshot { counts, ..Snapshot::empty(now, State::Running) }
}

pub(in crate::load) fn with_workers(state: State, workers: &[(State, u32)]) -> Snapshot {
    let worker = |(at, (state, user_count)): (usize, &(State, u32))| Worker {
        id: format!("worker_{at}"),
        state: *state,
        user_count: *user_count,
        cpu_percent: 0.0,
        memory_bytes: 0,
        health: None,
    };
    let user_count = workers.iter().map(|(_, users)| users).sum();
    let workers = workers.iter().enumerate().map(worker).collect();
    Snapshot { user_count, workers, ..Snapshot::empty(0.0, state) }
}

#[test]
fn a_window_has_the_difference_of_both_histograms() {
    let earlier = counted(1000.0, endpoint(&[(100_000, 10)], &[(100_000, 8)]));
    let later = counted(1010.0, endpoint(&[(100_000, 12), (500_000, 1)], &[(100_000, 9), (500_000, 1)]));
    let window = later.since(&earlier);
    let endpoint = window.endpoint("POST /predict").unwrap();
    assert_eq!(endpoint.histogram, histogram(&[(100_000, 2), (500_000, 1)]));
    assert_eq!(endpoint.succeeded, histogram(&[(100_000, 1), (500_000, 1)]));
    assert_eq!((window.aggregated.requests, window.aggregated.failures), (3, 1));
    assert!((window.seconds - 10.0).abs() < 1e-9);
}

#[test]
fn an_endpoint_that_is_new_in_a_window_has_all_its_counts() {
    let later = counted(1010.0, endpoint(&[(60_000, 10)], &[(60_000, 10)]));
    let window = later.since(&Snapshot::empty(1000.0, State::Running));
    assert_eq!(window.endpoints[0].histogram, histogram(&[(60_000, 10)]));
}

#[test]
fn a_window_between_cuts_has_the_workers_time_and_the_larger_spread() {
    let cut = |at: f64, spread_ms: f64| Snapshot {
        cut: Some(Cut { complete: true, at: Some(at), spread_ms: Some(spread_ms) }),
        ..Snapshot::empty(0.0, State::Running)
    };
    let window = cut(20.5, 1.0).since(&cut(10.0, 3.0));
    assert!((window.seconds - 10.5).abs() < 1e-9 && (window.cut_spread_ms - 3.0).abs() < 1e-9);
}

#[test]
fn the_whole_load_lasts_from_its_start_to_its_last_request() {
    let mut snapshot = counted(1010.5, endpoint(&[(100_000, 10)], &[]));
    assert!(snapshot.whole().seconds.abs() < 1e-9, "unknown without both times");
    (snapshot.counts.first_at, snapshot.counts.last_at) = (Some(1000.0), Some(1010.0));
    assert!((snapshot.whole().seconds - 10.0).abs() < 1e-9);
    assert_eq!(snapshot.whole().aggregated.requests, 10);
}

#[test]
fn the_load_is_idle_if_exactly_the_wanted_workers_are_ready_without_users() {
    let ready = (State::Ready, 0);
    assert!(with_workers(State::Ready, &[ready, ready]).is_idle(2));
    assert!(with_workers(State::Stopping, &[ready, (State::Missing, 0)]).is_idle(1), "a killed worker");
    assert!(!with_workers(State::Ready, &[ready]).is_idle(2));
    assert!(!with_workers(State::Ready, &[ready, ready, ready]).is_idle(2));
    assert!(!with_workers(State::Stopped, &[ready, (State::Stopping, 3)]).is_idle(2));
    assert!(!with_workers(State::Running, &[ready, ready]).is_idle(2));
}

#[test]
fn the_load_is_running_if_all_users_are_spread_evenly_over_the_workers() {
    let running = |users: &[u32]| {
        let workers: Vec<_> = users.iter().map(|users| (State::Running, *users)).collect();
        with_workers(State::Running, &workers)
    };
    assert!(running(&[3, 2]).is_running(5, 2));
    assert!(!running(&[4, 1]).is_running(5, 2), "uneven");
    assert!(!running(&[3, 2]).is_running(6, 2), "too few users");
    assert!(!running(&[5]).is_running(5, 2), "too few workers");
}

#[test]
fn a_description_names_the_state_and_every_worker() {
    let snapshot = with_workers(State::Spawning, &[(State::Running, 12), (State::Missing, 0)]);
    assert_eq!(
        snapshot.describe(),
        "spawning with 12 users; workers: running with 12 users, missing with 0 users"
    );
    assert_eq!(with_workers(State::Ready, &[]).describe(), "ready with 0 users; workers: none");
}
