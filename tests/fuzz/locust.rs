//! Answers of Locust's master: those of our module, and those of a stock Locust.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use locust_matrix::load::{LoadGenerator, Locust, Snapshot};
use proptest::prelude::*;

use crate::damage::damaged;
use crate::expect_message;
use crate::runner::fuzz;

const DEADMAN: Duration = Duration::from_mins(1);

/// An answer of the module during a load.
const SNAPSHOT: &str = r#"{"version": 3, "locust": "2.46.6", "now": 1010.5, "state": "running", "user_count": 5, "target_user_count": 5,
 "workers": [{"id": "w_1", "state": "running", "user_count": 5, "cpu_percent": 12.5, "memory_bytes": 60000000,
  "health": {"at": 1010.25, "cpu_seconds": 3.5, "cores": 2, "cpu_limit": 0.5, "periods": 100, "throttled": 7, "lag": {"0": 90, "1000": 9}}}],
 "entries": [{"method": "POST", "name": "/predict", "requests": 10, "failures": 2, "total_ms": 1000.0, "start_at": 1000.0, "last_at": 1010.0,
  "histogram": {"100000": 10}, "succeeded": {"100000": 8}}],
 "total": {"method": "", "name": "Aggregated", "requests": 10, "failures": 2, "total_ms": 1000.0, "start_at": 1000.0, "last_at": 1010.0,
  "histogram": {"100000": 10}, "succeeded": {"100000": 8}},
 "errors": [{"method": "POST", "name": "/predict", "error": "500", "occurrences": 2}], "exceptions": [{"message": "oh", "count": 1}],
 "open": null, "flush": {"complete": true, "at": 1010.0, "spread_ms": 3.5}, "impossible": 0, "folded": 0, "resets": 0}"#;

/// An answer of the module without a load.
const IDLE: &str = r#"{"version": 3, "locust": "2.47.0", "now": 5.0, "state": "ready", "user_count": 0, "workers": [], "entries": [],
 "total": {"method": "", "name": "Aggregated", "requests": 0, "failures": 0, "total_ms": 0, "histogram": {}}, "flush": null}"#;

const STATISTICS: &str = r#"{"state": "running", "user_count": 5, "worker_count": 1, "workers":
 [{"id": "w_1", "state": "running", "user_count": 5, "cpu_usage": 12.5, "memory_usage": 60000000}],
 "stats": [], "errors": [{"method": "POST", "name": "/predict", "error": "500", "occurrences": 2}]}"#;
const TABLE: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%,100%\r\n\
POST,/predict,200,2,100,105.0,90.0,410.0,58,20.0,0.2,100,210,410\r\n\
,Aggregated,200,2,100,105.0,90.0,410.0,58,20.0,0.2,100,210,410\r\n";
const EXCEPTIONS: &str = r#"{"exceptions": [{"count": 1, "msg": "oh", "traceback": "", "nodes": "a"}]}"#;

/// The bodies of the answers; `None` is status 404.
#[derive(Clone, Debug, Default)]
struct Answers {
    snapshot: Option<String>,
    statistics: String,
    table: String,
    exceptions: String,
}

/// A Locust whose answers can be changed.
fn serve(answers: &Arc<Mutex<Answers>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::clone(answers);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            let mut length = 0;
            let _ = reader.read_line(&mut line);
            let mut header = String::new();
            while reader.read_line(&mut header).unwrap_or(0) > 2 {
                if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                header.clear();
            }
            let _ = reader.take(length).read_to_end(&mut Vec::new());
            let answers = answers.lock().unwrap().clone();
            let json = "application/json";
            let (kind, body) = match line.split(' ').nth(1).unwrap_or_default() {
                "/matrix/snapshot" => (json, answers.snapshot),
                "/stats/requests" => (json, Some(answers.statistics)),
                "/stats/requests/csv" => ("text/csv", Some(answers.table)),
                "/exceptions" => (json, Some(answers.exceptions)),
                _ => ("text/html", Some("\"version\": \"2.46.6\"".into())),
            };
            let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
            let body = body.unwrap_or_default();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    url
}

/// Asks everything of a snapshot that the conductor asks.
fn use_it(snapshot: &Snapshot) {
    let whole = snapshot.whole();
    let _ = (serde_json::to_string(&whole), snapshot.since(snapshot), snapshot.describe(), snapshot.at());
    let _ =
        (snapshot.is_idle(1), snapshot.is_running(5, 1), snapshot.is_active(), snapshot.present().count());
}

#[test]
fn fuzz_answers_of_the_module_are_read_or_refused_with_a_message() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = Arc::new(Mutex::new(Answers::default()));
    let url = serve(&answers);
    let corpus = vec![SNAPSHOT.to_owned(), IDLE.to_owned()];
    fuzz(300, &(damaged(corpus, 4), any::<bool>()), |(text, cut)| {
        answers.lock().unwrap().snapshot = Some(text.clone());
        let locust = Locust::new(&url).unwrap();
        let answer = runtime
            .block_on(async { if cut { locust.cut(DEADMAN).await } else { locust.snapshot(DEADMAN).await } });
        match answer {
            Ok(snapshot) => use_it(&snapshot),
            Err(error) => expect_message(&error, &text),
        }
        if let Err(error) = runtime.block_on(locust.capabilities()) {
            expect_message(&error, &text);
        }
    });
}

#[test]
fn fuzz_answers_of_a_stock_locust_are_read_or_refused_with_a_message() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = Arc::new(Mutex::new(Answers::default()));
    let url = serve(&answers);
    let one = |text: &str, most| damaged(vec![text.to_owned()], most);
    let strategy = (one(STATISTICS, 2), one(TABLE, 3), one(EXCEPTIONS, 2)).prop_map(
        |(statistics, table, exceptions)| Answers { snapshot: None, statistics, table, exceptions },
    );
    fuzz(200, &strategy, |damaged| {
        let sound = STATISTICS.to_owned();
        *answers.lock().unwrap() = Answers { statistics: sound.clone(), ..damaged.clone() };
        let locust = Locust::new(&url).unwrap();
        // The first cut opens the window, so that the second one reads the table.
        for _ in 0..2 {
            match runtime.block_on(locust.cut(DEADMAN)) {
                Ok(snapshot) => use_it(&snapshot),
                Err(error) => expect_message(&error, &format!("{damaged:?}")),
            }
        }
        answers.lock().unwrap().statistics.clone_from(&damaged.statistics);
        match runtime.block_on(locust.snapshot(DEADMAN)) {
            Ok(snapshot) => use_it(&snapshot),
            Err(error) => expect_message(&error, &format!("{damaged:?}")),
        }
    });
}
