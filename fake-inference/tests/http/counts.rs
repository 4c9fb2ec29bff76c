//! The server's own counts, compared with those of its clients.

use fake_inference::service_time::Failures;

use crate::support::{HOUR_MS, Running, good, requests};

const EPSILON: f64 = 1e-9;

fn assert_count(server: &Running, name: &str, expected: f64) {
    let seen = server.metric(name);
    assert!((seen - expected).abs() < EPSILON, "{name}: {seen}, expected {expected}");
}

#[test]
fn requests_are_counted_by_endpoint_status_and_caller() {
    let server = Running::start(&["--service-ms", "0"]);
    let mut client = server.connect();
    let mut send = |method: &str, path: &str, agent: &str, body: &str| {
        client.send(method, path, &[("user-agent", agent)], body);
        client.receive()
    };
    let body = good().to_string();
    send("POST", "/predict", "Loader/2.1 (x86)", &body);
    send("POST", "/predict", "loader other", &body);
    send("POST", "/predict", "loader", "{");
    send("GET", "/predict", "loader", "");
    send("GET", "/healthz", "probe/1.34", "");
    send("GET", "/a", "probe/1.34", "");
    send("GET", "/b", "probe/1.34", "");

    assert_count(&server, &requests("/predict", "200", "loader"), 2.0);
    assert_count(&server, &requests("/predict", "400", "loader"), 1.0);
    assert_count(&server, &requests("/predict", "405", "loader"), 1.0);
    assert_count(&server, &requests("/healthz", "200", "probe"), 1.0);
    assert_count(&server, &requests("other", "404", "probe"), 2.0);
    let started = r#"inference_requests_started_total{endpoint="/predict",caller="loader"}"#;
    assert_count(&server, started, 4.0);
    assert_count(&server, "inference_response_seconds_count", 4.0);
    assert_count(&server, "inference_service_seconds_count", 2.0);
    assert_count(&server, "inference_wait_seconds_count", 2.0);
}

#[test]
fn the_seventeenth_caller_is_counted_as_other() {
    let server = Running::start(&[]);
    let mut client = server.connect();
    for at in 0..20 {
        client.send("GET", "/healthz", &[("user-agent", &format!("agent{at}/1"))], "");
        client.receive();
    }
    assert_count(&server, &requests("/healthz", "200", "agent15"), 1.0);
    assert_count(&server, &requests("/healthz", "200", "agent16"), 0.0);
    assert_count(&server, &requests("/healthz", "200", "other"), 4.0);
}

#[test]
fn a_client_that_has_its_answer_finds_it_in_the_counts() {
    let server = Running::start(&["--service-ms", "0"]);
    let mut client = server.connect();
    let name = requests("/healthz", "200", "none");
    for sent in 1..=200 {
        client.get("/healthz");
        assert_count(&server, &name, f64::from(sent));
    }
}

#[test]
fn a_scrape_sees_itself_as_started_but_not_as_finished() {
    let server = Running::start(&[]);
    let started = r#"inference_requests_started_total{endpoint="/metrics",caller="none"}"#;
    let finished = requests("/metrics", "200", "none");
    assert_count(&server, started, 1.0);
    assert_count(&server, &finished, 1.0); // The first scrape; this is the second.
    assert_count(&server, started, 3.0);
    assert_count(&server, "inference_in_flight", 1.0);
}

#[test]
fn the_seed_decides_which_requests_fail_and_the_server_counts_them() {
    for (rate, seed) in [(0.0, 1), (0.3, 2), (1.0, 3)] {
        let (rate_flag, seed_flag) = (rate.to_string(), seed.to_string());
        let server =
            Running::start(&["--service-ms", "0", "--failure-rate", &rate_flag, "--seed", &seed_flag]);
        let mut client = server.connect();
        let body = good().to_string();
        let seen: Vec<bool> = (0..200).map(|_| client.post(&body).status == 500).collect();
        let failures = Failures::new(rate, seed);
        let expected: Vec<bool> = (0..200).map(|n| failures.hits(n)).collect();
        assert_eq!(seen, expected, "rate {rate}");

        let failed = seen.iter().filter(|failed| **failed).count() as f64;
        assert_count(&server, &requests("/predict", "500", "none"), failed);
        assert_count(&server, &requests("/predict", "200", "none"), 200.0 - failed);
    }
}

#[test]
fn a_chosen_failure_says_so_in_its_json() {
    let answer = Running::start(&["--service-ms", "0", "--failure-rate", "1"]).predict(&good());
    assert_eq!(answer.status, 500);
    assert!(answer.json()["error"].as_str().unwrap().contains("--failure-rate"));
}

#[test]
fn a_client_that_leaves_is_counted_as_aborted_and_its_service_keeps_the_slot() {
    let flags = ["--service-ms", HOUR_MS, "--concurrency", "1", "--max-waiting", "0"];
    let server = Running::start(&flags);
    let mut client = server.connect();
    client.send("POST", "/predict", &[], &good().to_string());
    server.until("inference_wait_seconds_count", 1.0);
    drop(client);
    server.until(&requests("/predict", "aborted", "none"), 1.0);
    assert_count(&server, "inference_in_flight", 1.0); // This scrape alone.
    assert_count(&server, "inference_response_seconds_count", 0.0);
    assert_eq!(server.predict(&good()).status, 503);
}

#[test]
fn a_client_that_leaves_the_queue_gives_up_its_place() {
    let flags = ["--service-ms", HOUR_MS, "--concurrency", "1", "--max-waiting", "1"];
    let server = Running::start(&flags);
    let mut first = server.connect();
    first.send("POST", "/predict", &[], &good().to_string());
    server.until("inference_wait_seconds_count", 1.0);
    for left in 1..=2 {
        let mut waiting = server.connect();
        waiting.send("POST", "/predict", &[], &good().to_string());
        server.until("inference_in_flight", 3.0);
        drop(waiting);
        server.until(&requests("/predict", "aborted", "none"), f64::from(left));
    }
    assert_count(&server, &requests("/predict", "503", "none"), 0.0);
}

#[test]
fn a_client_that_leaves_while_it_sends_its_body_is_counted_as_aborted() {
    let server = Running::start(&[]);
    let mut client = server.connect();
    client.raw("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{");
    drop(client);
    server.until(&requests("/predict", "aborted", "none"), 1.0);
    assert_count(&server, &requests("/predict", "400", "none"), 0.0);
}
