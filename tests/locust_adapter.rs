//! The driver and a web server that is not the Locust it expects, with canned answers on the loopback interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use locust_matrix::exit::{Error, ExitCode};
use locust_matrix::load::{Load, LoadGenerator, Locust};

const DEADMAN: Duration = Duration::from_mins(1);

/// A server that answers each `METHOD path` with canned bytes and keeps a list of its requests.
struct Canned {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// The body of each request.
    forms: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn serve(answers: &[(&str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: HashMap<String, String> =
            answers.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let forms = Arc::new(Mutex::new(Vec::new()));
        let (log, form_log) = (Arc::clone(&requests), Arc::clone(&forms));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &answers, &log, &form_log);
            }
        });
        Self { url, requests, forms }
    }

    fn locust(&self) -> Locust {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Locust::new(&self.url).unwrap()
    }
}

fn answer(
    mut stream: TcpStream,
    answers: &HashMap<String, String>,
    log: &Mutex<Vec<String>>,
    forms: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let key = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut form = String::new();
    reader.take(length).read_to_string(&mut form).unwrap();
    log.lock().unwrap().push(key.clone());
    forms.lock().unwrap().push(form);
    let _ = stream.write_all(answers.get(&key).map_or(b"", |text| text.as_bytes()));
}

fn response(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The error of a snapshot if the module's route answers this.
async fn snapshot_error(answer: String) -> Error {
    let server =
        Canned::serve(&[("GET /matrix/snapshot", answer.clone()), ("POST /matrix/snapshot", answer)]);
    let error = server.locust().snapshot(DEADMAN).await.unwrap_err();
    assert_eq!(error.code, ExitCode::Cluster);
    assert!(error.next.is_some(), "{error}");
    error
}

#[tokio::test]
async fn a_login_page_is_not_mistaken_for_locust() {
    let error = snapshot_error(response("200 OK", "text/html", "<html>log in</html>")).await;
    assert!(error.message.contains("200 OK with text/html instead of JSON"), "{error}");
    assert!(error.next.unwrap().contains("login page"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let error =
        snapshot_error("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".into()).await;
    assert!(error.message.contains("302 Found"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_no_locust_master_is_named_as_such() {
    let error = snapshot_error(response("404 Not Found", "text/html", "no")).await;
    assert!(error.message.contains("without the module locust_matrix.py, and is not Locust"), "{error}");
}

const STATISTICS: &str = r#"{"state": "running", "user_count": 5, "worker_count": 1, "workers":
    [{"id": "w_1", "state": "running", "user_count": 5, "cpu_usage": 12.5, "memory_usage": 60000000}],
    "stats": [], "errors": [{"method": "POST", "name": "/predict", "error": "500", "occurrences": 2}]}"#;
const CSV: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,\
    Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%,100%\r\n\
    POST,/predict,200,2,100,105.0,90.0,410.0,58,20.0,0.2,100,210,410\r\n\
    ,Aggregated,200,2,100,105.0,90.0,410.0,58,20.0,0.2,100,210,410\r\n";

#[tokio::test]
async fn a_master_without_the_module_is_driven_by_its_stock_api() {
    let page = r#"<script>{"version": "2.46.6", "worker_count": 1}</script>"#;
    let json = |body: &str| response("200 OK", "application/json", body);
    let server = Canned::serve(&[
        ("GET /matrix/snapshot", response("404 Not Found", "text/html", "no")),
        ("GET /", response("200 OK", "text/html", page)),
        ("GET /stats/requests", json(STATISTICS)),
        (
            "GET /exceptions",
            json(r#"{"exceptions": [{"count": 1, "msg": "oh", "nodes": "", "traceback": ""}]}"#),
        ),
        ("POST /stats/reset", response("405 Method Not Allowed", "text/html", "")),
        ("GET /stats/reset", response("200 OK", "text/html", "ok")),
        ("GET /stats/requests/csv", response("200 OK", "text/csv; charset=utf-8", CSV)),
        ("POST /swarm", json(r#"{"success": true, "message": ""}"#)),
    ]);
    let load = server.locust();
    let can = load.capabilities().await.unwrap();
    assert_eq!((can.name.as_str(), can.percentile_digits), ("Locust 2.46.6", 2));
    assert!(!can.exact_windows && !can.live_counts && can.open_model.is_err() && !can.health, "{can:?}");
    assert!(can.caveat.as_ref().unwrap().contains("without the module locust_matrix.py"), "{can:?}");
    let seen = load.snapshot(DEADMAN).await.unwrap();
    assert!(seen.is_running(5, 1), "{}", seen.describe());

    load.start(Load::Closed { users: 5, spawn_rate: 1.0 }, "http://x").await.unwrap();
    let opening = load.cut(DEADMAN).await.unwrap();
    let closing = load.cut(DEADMAN).await.unwrap();
    let window = closing.since(&opening);
    let histogram = &window.endpoint("POST /predict").unwrap().histogram;
    let quantiles = [0.5, 0.95, 1.0].map(|quantile| histogram.quantile(quantile));
    assert_eq!(quantiles, [Some(100_000), Some(210_000), Some(410_000)]);
    assert_eq!((window.aggregated.requests, window.aggregated.failures), (200, 2));
    assert_eq!((closing.errors[0].occurrences, closing.exceptions[0].count), (2, 1));

    let requests = server.requests.lock().unwrap().clone();
    let count = |key: &str| requests.iter().filter(|request| *request == key).count();
    assert_eq!(count("GET /matrix/snapshot"), 1, "probed once: {requests:?}");
    assert_eq!(count("GET /stats/reset"), 1, "only the first cut opens the window: {requests:?}");
    let open = load.start(Load::Open { rate: 5.0, users: 5, seed: 1 }, "http://x").await.unwrap_err();
    assert_eq!(open.code, ExitCode::Usage);
}

const EMPTY: &str = r#"{"version": 3, "locust": "2.47.0", "now": 1, "state": "ready", "user_count": 0,
    "workers": [], "entries": [], "flush": null, "total": {"method": "", "name": "Aggregated", "requests": 0,
    "failures": 0, "total_ms": 0, "histogram": {}}}"#;

#[tokio::test]
async fn a_master_with_the_module_can_do_everything() {
    let answer = response("200 OK", "application/json", EMPTY);
    let server =
        Canned::serve(&[("GET /matrix/snapshot", answer.clone()), ("POST /matrix/snapshot", answer)]);
    let load = server.locust();
    let can = load.capabilities().await.unwrap();
    assert_eq!((can.name.as_str(), can.percentile_digits, &can.caveat), ("Locust 2.47.0", 3, &None));
    assert!(can.exact_windows && can.live_counts && can.open_model.is_ok() && can.health, "{can:?}");
    assert!(load.snapshot(DEADMAN).await.unwrap().is_idle(0));
    assert!(!load.cut(DEADMAN).await.unwrap().is_complete_cut(), "no worker took part");
}

#[tokio::test]
async fn a_start_of_the_open_model_sends_its_rate_and_its_seed() {
    let server = Canned::serve(&[
        ("GET /matrix/snapshot", response("200 OK", "application/json", EMPTY)),
        ("POST /matrix/swarm", response("200 OK", "application/json", r#"{"success": true, "message": ""}"#)),
    ]);
    // The largest seed must arrive without loss: Python reads it as a whole number.
    let load = Load::Open { rate: 12.5, users: 30, seed: u64::MAX };
    server.locust().start(load, "http://x").await.unwrap();
    let forms = server.forms.lock().unwrap().clone();
    let form = forms.last().unwrap();
    assert!(form.contains("rate=12.5&seed=18446744073709551615"), "{form}");
}

#[tokio::test]
async fn a_module_with_another_protocol_version_is_named_as_such() {
    let body = r#"{"version": 1, "locust": "2.46.6"}"#;
    let error = snapshot_error(response("200 OK", "application/json", body)).await;
    assert!(error.message.contains("answers in version 1; this program understands 3"), "{error}");
}

#[tokio::test]
async fn an_incomplete_a_missing_and_a_foreign_answer_are_errors() {
    let half = snapshot_error(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{".into(),
    )
    .await;
    assert!(half.message.contains("half an answer"), "{half}");
    let none = snapshot_error(String::new()).await;
    assert!(none.message.contains("does not answer"), "{none}");
    let other = snapshot_error(response("200 OK", "application/json", "{\"a\": 1}")).await;
    assert!(other.message.contains("not understood"), "{other}");
}

#[tokio::test]
async fn a_refused_start_says_why() {
    let body = r#"{"success": false, "message": "Invalid user_count value"}"#;
    let server = Canned::serve(&[
        ("GET /matrix/snapshot", response("200 OK", "application/json", "{}")),
        ("POST /swarm", response("200 OK", "application/json", body)),
    ]);
    let error =
        server.locust().start(Load::Closed { users: 5, spawn_rate: 1.0 }, "http://x").await.unwrap_err();
    assert!(error.message.contains("Invalid user_count value"), "{error}");
}

#[tokio::test]
async fn a_stop_whose_method_is_refused_is_tried_with_the_other_method() {
    let stopped = response("200 OK", "application/json", r#"{"success": true, "message": "Test stopped"}"#);
    let refused = response("405 Method Not Allowed", "text/html", "");
    let server = Canned::serve(&[("POST /stop", refused), ("GET /stop", stopped)]);
    server.locust().stop().await.unwrap();
    assert_eq!(*server.requests.lock().unwrap(), ["POST /stop", "GET /stop"]);
}
