//! The embedded cluster: what Kubernetes is asked of, and the main job without Docker.
//!
//! The clusters are started one after the other: two at once would measure each other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod changes;
mod cluster;
mod kubectl;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cluster::Cluster;
use e2e::conformance::{self, Images};
use e2e::required;
use e2e::results::{assert_all_valid, assert_exact, only_run, open_rows, records};
use e2e::tool::{Running, run};
use rustix::process::Signal;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The images' tags mean nothing here, and names are what programs are found by.
fn images() -> Images {
    Images { stub: "fake-inference:test".into(), driver: "locust-driver:test".into() }
}

#[test]
fn it_does_what_kubernetes_does() {
    let _turn = ONE_AT_A_TIME.lock();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(conformance::check(&cluster.kubeconfig(), &images()));
    cluster.end();
}

#[test]
fn kubectl_finds_its_way() {
    let _turn = ONE_AT_A_TIME.lock();
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        eprintln!("not run: kubectl is not installed");
        return;
    }
    let cluster = Cluster::start();
    kubectl::every_command_works(&cluster);
    cluster.end();
}

#[test]
fn what_would_change_is_shown_first() {
    let _turn = ONE_AT_A_TIME.lock();
    let cluster = Cluster::start();
    changes::are_shown_made_and_taken_back(&cluster);
    cluster.end();
}

/// `cargo xtask e2e` as on a machine without Docker.
fn e2e(name: &str, results: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(required("E2E_XTASK"));
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.args(["e2e", "--name", name, "--results"]).arg(results).args(arguments);
    command
}

#[test]
fn the_quick_matrix_without_docker() {
    let _turn = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    // The replicas of `quick` under both models, measured for a shorter time: kind has the whole of it.
    let matrix = folder.path().join("matrix.yaml");
    std::fs::write(&matrix, "{preset: quick, users: [20], rates: [20], duration: 6s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}")
        .unwrap();
    let ended = run(&mut e2e("lm-test-embedded", &results, &["--config", matrix.to_str().unwrap()]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let first = ended.err.lines().next().unwrap();
    assert!(first.starts_with("cluster: embedded, because"), "{first}");
    let run = only_run(&results);
    assert_all_valid(&run, 4);
    for record in records(&run) {
        assert_exact(&record);
        assert_eq!(record["setting"]["cluster"], "embedded");
    }
    assert_eq!(open_rows(&run).len(), 2, "a table of its own");
    assert!(ended.err.contains("auto_summary_open.csv"), "where to see it: {}", ended.err);
    let report = std::fs::read_to_string(run.join("auto_summary.md")).unwrap();
    assert!(report.contains("| Cluster | embedded |"), "{report}");
    cluster::assert_nothing_runs("lm-test-embedded");
}

/// As large as it is meant for: on two cores the figures are the machine's, but every request counts.
#[test]
fn eight_replicas_eight_workers_and_800_users_run() {
    let _turn = ONE_AT_A_TIME.lock();
    let results = tempfile::tempdir().unwrap();
    let matrix = results.path().join("matrix.yaml");
    let text = "{replicas: [8], workers: [8], users: [800], duration: 10s, cooldown: 0s, spawn_rate: 200}";
    std::fs::write(&matrix, text).unwrap();
    let matrix = matrix.to_str().unwrap();
    let ended = run(&mut e2e("lm-test-embedded", &results.path().join("runs"), &["--config", matrix]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let record = records(&only_run(&results.path().join("runs"))).remove(0);
    assert!(record["window"]["aggregated"]["requests"].as_u64().unwrap() > 0, "{record}");
    assert_eq!(record["replicas"].as_array().unwrap().len(), 8);
    cluster::assert_nothing_runs("lm-test-embedded");
}

/// Whatever happens to the one who started it, nothing goes on.
#[test]
fn nothing_is_left_after_a_kill_or_an_interruption() {
    let _turn = ONE_AT_A_TIME.lock();
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let results = tempfile::tempdir().unwrap();
        let mut running =
            Running::start(&mut e2e("lm-test-embedded", results.path(), &["--duration", "30s"]));
        running.await_line("RPS:", Duration::from_mins(3));
        running.signal(signal);
        assert_eq!(running.finish().code, code);
        // The pods go at once; the driver gives an API server half a minute to come back.
        let by = Instant::now() + Duration::from_secs(45);
        while !cluster::running("lm-test-embedded").is_empty() {
            assert!(Instant::now() < by, "{:?}", cluster::running("lm-test-embedded"));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let cleanup = run(Command::new(required("E2E_XTASK")).arg("cleanup"));
    assert_eq!(cleanup.code, Some(0), "{}", cleanup.err);
    let folder = Path::new(&required("E2E_TARGET")).join("e2e/lm-test-embedded");
    assert!(!folder.exists(), "{}", folder.display());
}
