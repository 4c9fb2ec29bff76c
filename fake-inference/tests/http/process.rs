//! The program: its first output line, its signals and its exit codes.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Client, HOUR_MS, good, metric, until};

struct Program {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Program {
    fn start(flags: &[&str]) -> Self {
        let host: &[&str] = if flags.contains(&"--host") { &[] } else { &["--host", "127.0.0.1"] };
        let mut child =
            command(&["--port", "0"]).args(host).args(flags).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().parse();
        Self { child, stderr, address: address.unwrap_or_else(|_| panic!("no address in {line:?}")) }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it ends; returns the exit code and its last output.
    fn end(mut self) -> (Option<i32>, String) {
        let mut last = String::new();
        self.stderr.read_to_string(&mut last).unwrap();
        (self.child.wait().unwrap().code(), last)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, unless the test failed or left it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-inference"));
    command.args(flags);
    command
}

fn run(flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(flags).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn after_a_signal_it_finishes_running_and_waiting_requests() {
    for signal in [Signal::TERM, Signal::INT] {
        let program = Program::start(&["--service-ms", "300", "--concurrency", "1"]);
        let mut clients = [(); 2].map(|()| Client::connect(program.address));
        for client in &mut clients {
            client.send("POST", "/predict", &[], &good().to_string());
        }
        let started = r#"inference_requests_started_total{endpoint="/predict",caller="none"}"#;
        until(program.address, started, 2.0);
        program.signal(signal);
        for mut client in clients {
            let answer = client.receive();
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json()["model"], "LSTM");
        }
        assert_eq!(program.end(), (Some(0), String::new()));
    }
}

#[test]
fn every_address_of_ipv6_is_every_address_of_ipv4_too() {
    let program = Program::start(&["--host", "::"]);
    let port = program.address.port();
    for address in
        [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))]
    {
        let has_ipv6 = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok();
        if address.is_ipv4() || has_ipv6 {
            let mut client = Client::connect(address);
            client.send("GET", "/healthz", &[], "");
            assert_eq!(client.receive().status, 200, "{address}");
        }
    }
    program.signal(Signal::TERM);
    assert_eq!(program.end().0, Some(0));
}

#[test]
fn a_signal_closes_idle_connections_and_the_port_at_once() {
    let mut program = Program::start(&["--service-ms", HOUR_MS, "--grace", "3600"]);
    let mut busy = Client::connect(program.address);
    busy.send("POST", "/predict", &[], &good().to_string());
    until(program.address, "inference_wait_seconds_count", 1.0);
    let mut idle = Client::connect(program.address);
    idle.get("/healthz");
    let mut unused = Client::connect(program.address);
    // The kernel accepts a connection before the server does. One more answer shows that the server has.
    metric(program.address, "inference_in_flight");

    program.signal(Signal::TERM);
    assert_eq!(idle.rest(), "");
    assert_eq!(unused.rest(), "");
    assert!(TcpStream::connect(program.address).is_err(), "the port is closed");
    assert!(program.child.try_wait().unwrap().is_none(), "one request is still in flight");
}

#[test]
fn the_grace_time_ends_the_wait_for_a_request() {
    let program = Program::start(&["--service-ms", HOUR_MS, "--grace", "0.05"]);
    let mut client = Client::connect(program.address);
    client.send("POST", "/predict", &[], &good().to_string());
    until(program.address, "inference_wait_seconds_count", 1.0);
    program.signal(Signal::TERM);
    let (code, last) = program.end();
    assert_eq!(code, Some(0));
    assert!(last.contains("requests not finished: 1"), "{last}");
}

#[test]
fn a_port_in_use_ends_with_exit_code_3_and_names_the_next_step() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let (code, stderr) = run(&["--host", "127.0.0.1", "--port", &port]);
    assert_eq!(code, Some(3));
    assert!(stderr.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{stderr}");
    assert!(stderr.contains("choose another --port"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn a_wrong_flag_or_variable_ends_with_exit_code_2() {
    let (code, stderr) = run(&["--failure-rate", "2"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("expected a number from 0 to 1"), "{stderr}");

    let (code, stderr) = run(&["--stall-ms", "500", "--stall-every", "0.5"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--stall-every must be longer than --stall-ms"), "{stderr}");

    let output = command(&[]).env("FAKE_INFERENCE_CONCURRENCY", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_variable_sets_the_same_value_as_its_flag() {
    let output = command(&["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("FAKE_INFERENCE_SERVICE_MS") && help.contains("Exit codes"), "{help}");

    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let output = command(&["--host", "127.0.0.1"]).env("FAKE_INFERENCE_PORT", &port).output();
    assert_eq!(output.unwrap().status.code(), Some(3), "it uses the port of the variable");
}
