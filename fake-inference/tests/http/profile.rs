//! A measured server with real sockets, slots and the real clock.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::{HOUR_MS, Running, good, requests};

/// One user's predictions until a time: when each was answered, and its response time.
fn user(server: &Running, until: Instant) -> impl FnOnce() -> Vec<(Instant, Duration)> + Send + 'static {
    let mut client = server.connect();
    let body = good().to_string();
    move || {
        let mut answers = Vec::new();
        while Instant::now() < until {
            for n in 0..10 {
                let began = Instant::now();
                match n {
                    8 => drop(client.get("/healthz")),
                    9 => drop(client.get("/metrics")),
                    _ => {
                        assert_eq!(client.post(&body).status, 200);
                        answers.push((Instant::now(), began.elapsed()));
                    }
                }
            }
        }
        answers
    }
}

#[test]
fn ten_users_on_two_replicas_get_the_measured_throughput_and_p95() {
    // The profile overrides the other settings: with these, no request would ever be answered.
    let flags = ["--profile", "flts-baseline", "--service-ms", HOUR_MS, "--concurrency", "9"];
    let replicas = ["1", "2"].map(|seed| Running::start(&[&flags[..], &["--seed", seed]].concat()));
    let from = Instant::now() + Duration::from_secs(1);
    let until = from + Duration::from_secs(8);
    let users: Vec<_> =
        replicas.iter().flat_map(|server| (0..5).map(|_| thread::spawn(user(server, until)))).collect();
    let all = users.into_iter().flat_map(|user| user.join().unwrap());
    let mut times: Vec<f64> = all
        .filter(|(at, _)| (from..until).contains(at))
        .map(|(_, took)| took.as_secs_f64() * 1000.0)
        .collect();
    times.sort_by(f64::total_cmp);
    let throughput = times.len() as f64 / 8.0;
    let p95 = times[(times.len() * 95).div_ceil(100) - 1];
    assert!((throughput / 16.4 - 1.0).abs() < 0.10, "{throughput}/s");
    assert!((p95 / 686.0 - 1.0).abs() < 0.20, "P95 {p95} ms");
}

#[test]
fn waiting_predictions_count_as_in_the_system() {
    let server = Running::start(&["--service-ms", HOUR_MS, "--concurrency", "1"]);
    let mut clients = [(); 3].map(|()| server.connect());
    for client in &mut clients {
        client.send("POST", "/predict", &[("user-agent", "a")], &good().to_string());
    }
    server.until("inference_in_system", 3.0);
    drop(clients);
    // The waiting predictions have left; the service that has begun continues.
    server.until(&requests("/predict", "aborted", "a"), 3.0);
    server.until("inference_in_system", 1.0);
}
