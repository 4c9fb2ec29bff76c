//! Slots and service times. On a busy machine everything takes longer and nothing shorter, so these
//! tests check lower bounds only.

use std::time::{Duration, Instant};

use fake_inference::service_time::{ServiceTime, Shape};

use crate::support::{Client, HOUR_MS, Running, good};

fn send_to(server: &Running) -> Client {
    let mut client = server.connect();
    client.send("POST", "/predict", &[], &good().to_string());
    client
}

#[test]
fn the_fifth_of_five_requests_waits_for_one_of_four_slots() {
    let server = Running::start(&["--service-ms", "200", "--concurrency", "4"]);
    let began = Instant::now();
    let mut clients: Vec<Client> = (0..5).map(|_| send_to(&server)).collect();
    for client in &mut clients {
        assert_eq!(client.receive().status, 200);
    }
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

#[test]
fn four_slots_serve_four_requests_at_the_same_time_but_not_a_fifth() {
    let flags = ["--service-ms", HOUR_MS, "--concurrency", "4", "--max-waiting", "0"];
    let server = Running::start(&flags);
    let _clients: Vec<Client> = (0..4).map(|_| send_to(&server)).collect();
    server.until("inference_wait_seconds_count", 4.0);
    let answer = server.predict(&good());
    assert_eq!(answer.status, 503);
    assert!(answer.json()["error"].as_str().unwrap().contains("queue"));
    assert_eq!(server.connect().get("/healthz").status, 200, "health needs no slot");
}

#[test]
fn the_nth_request_takes_at_least_the_nth_draw_of_the_seed() {
    let mean = Duration::from_millis(20);
    for (flag, shape) in [("exponential", Shape::Exponential), ("log-normal", Shape::LogNormal)] {
        let server =
            Running::start(&["--service", flag, "--service-ms", "20", "--service-cv", "0.8", "--seed", "5"]);
        let model = ServiceTime::new(shape, mean, 0.8, 5);
        let body = good().to_string();
        let mut client = server.connect();
        let mut total = Duration::ZERO;
        for n in 0..20 {
            let began = Instant::now();
            assert_eq!(client.post(&body).status, 200);
            assert!(began.elapsed() >= model.draw(n, 1), "request {n}");
            total += model.draw(n, 1);
        }
        let sum = server.metric("inference_service_seconds_sum");
        assert!(sum >= total.as_secs_f64(), "{sum} s, drawn: {total:?}");
    }
}

#[test]
fn a_stopped_server_reports_the_number_of_unfinished_requests() {
    let server = Running::start(&["--service-ms", HOUR_MS, "--grace", "0.05"]);
    let mut client = send_to(&server);
    server.until("inference_wait_seconds_count", 1.0);
    assert_eq!(server.stop().unfinished, 1);
    assert_eq!(client.rest(), "", "no answer");
}
