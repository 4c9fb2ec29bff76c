//! A server in a thread, and a simple HTTP client.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::Parser;
use fake_inference::args::Args;
use fake_inference::server::{Ended, Server};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Longest time to wait for an answer. Only a test that fails waits that long.
const PATIENCE: Duration = Duration::from_mins(1);

/// An hour, for `--service-ms`: such a service does not end during a test.
pub(crate) const HOUR_MS: &str = "3600000";

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Ended>,
}

impl Running {
    /// Starts a server with these flags on a free port. If it is dropped, its thread runs until the
    /// process ends.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let fixed = ["fake-inference", "--host", "127.0.0.1", "--port", "0"];
        let args = Args::try_parse_from([&fixed, flags].concat()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let ended = runtime.block_on(async {
                let server = Server::bind(&args).await.unwrap();
                tell.send(server.address().unwrap()).unwrap();
                let stop = async {
                    if stopped.await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                server.serve(stop).await
            });
            runtime.shutdown_background();
            ended
        });
        let address = told.recv().unwrap();
        Self { address, stop, thread }
    }

    pub(crate) fn stop(self) -> Ended {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn predict(&self, body: &Value) -> Answer {
        self.connect().post(&body.to_string())
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        metric(self.address, name)
    }

    /// Waits until a metric has this value; the panic message has the last value seen.
    pub(crate) fn until(&self, name: &str, value: f64) {
        until(self.address, name, value);
    }
}

/// The value of one line of `/metrics`; 0 if there is no such line.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    let page = Client::connect(address).get("/metrics").body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

pub(crate) fn until(address: SocketAddr, name: &str, value: f64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = metric(address, name);
        if (seen - value).abs() < 1e-9 {
            return;
        }
        assert!(Instant::now() < deadline, "{name} was never {value}; last seen: {seen}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The name of a request counter.
pub(crate) fn requests(endpoint: &str, status: &str, caller: &str) -> String {
    format!("inference_requests_total{{endpoint=\"{endpoint}\",status=\"{status}\",caller=\"{caller}\"}}")
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "");
        self.receive()
    }

    pub(crate) fn post(&mut self, body: &str) -> Answer {
        self.send("POST", "/predict", &[], body);
        self.receive()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        self.raw(&format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
    }

    pub(crate) fn raw(&mut self, bytes: &str) {
        self.stream.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.stream.read_line(&mut head).unwrap(), 0, "closed after {head:?}");
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body).unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: String::from_utf8(body).unwrap(),
            head,
        }
    }

    /// Waits until the server closes the connection, and returns what it sent before.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.stream.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// A valid body: 30 times the time step of the documentation.
pub(crate) fn good() -> Value {
    let step = json!({
        "timestamp": "2024-01-15T10:00:00",
        "features": {
            "down": 1234.56, "up": 789.01, "rnti_count": 15,
            "mcs_down": 18, "mcs_up": 12, "bler_down": 0.02, "bler_up": 0.01,
            "prb_down": 45, "prb_up": 30, "sinr_down": 22.5, "sinr_up": 20.1,
        },
    });
    json!({"data": vec![step; 30]})
}
