//! The embedded cluster passes the same checks as Kubernetes, and does the main job without Docker.
//!
//! Tests that measure run alone. The others run side by side, each with a cluster of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod changes;
mod cluster;
mod deployed;
mod figures;
mod kubectl;
mod scripts;
mod workloads;

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use cluster::Cluster;
use e2e::conformance::{self, Images};
use e2e::embedded::xtask_e2e;
use e2e::leftovers::Before;
use e2e::required;
use e2e::results::{
    Span, assert_all_valid, assert_exact, counts, environment, only_record, only_run, open_rows, records,
    replica_count,
};
use e2e::tool::{Clock, Running, run, say, set_prefix};
use rustix::process::Signal;

/// Written by a test that measures, and read by one that does not.
static MACHINE: RwLock<()> = RwLock::new(());

/// Waits until no other test runs, and then starts the time of this one.
fn alone(test: &str) -> (RwLockWriteGuard<'static, ()>, Clock) {
    let turn = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    (turn, Clock::start(test))
}

/// Waits until no test that measures runs, and then starts the time of this one, whose lines get the label.
fn beside_others(label: &str, test: &str) -> (RwLockReadGuard<'static, ()>, Clock) {
    let turn = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    set_prefix(&format!("[{label}] "));
    (turn, Clock::start(test))
}

/// The cluster finds a program by the name of its image; the tag has no meaning here.
fn images() -> Images {
    Images { stub: "fake-inference:test".into(), driver: "locust-driver:test".into() }
}

#[test]
fn the_embedded_cluster_passes_all_checks() {
    let _turn = beside_others("checks", "the_embedded_cluster_passes_all_checks");
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(conformance::check(&cluster.kubeconfig(), &images()));
    cluster.end();
}

#[test]
fn kubectl_commands_work() {
    let _turn = beside_others("kubectl", "kubectl_commands_work");
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        say("not run: kubectl is not installed");
        return;
    }
    let cluster = Cluster::start();
    kubectl::every_command_works(&cluster);
    cluster.end();
}

#[test]
fn the_driver_shows_its_changes_first() {
    let _turn = beside_others("changes", "the_driver_shows_its_changes_first");
    let cluster = Cluster::start();
    changes::never_touch_foreign_objects(&cluster);
    changes::are_shown_made_and_removed(&cluster);
    cluster.end();
}

#[test]
fn scripts_of_other_people_are_shipped_refused_or_told_apart() {
    let _turn = beside_others("scripts", "scripts_of_other_people_are_shipped_refused_or_told_apart");
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    scripts::are_shipped_with_their_files_or_told_why_not(&cluster, folder.path());
    scripts::that_cannot_make_the_load_are_refused_with_the_reason(&cluster, folder.path());
    cluster.end();
}

#[test]
fn the_recipe_for_a_service_of_ones_own_has_room_on_two_cores() {
    let _turn = beside_others("recipe", "the_recipe_for_a_service_of_ones_own_has_room_on_two_cores");
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        say("not run: kubectl is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    scripts::of_the_readmes_recipe_run_beside_a_service_on_two_cores(&cluster, folder.path());
    cluster.end();
}

#[test]
fn the_quick_matrix_runs_without_docker() {
    let _turn = alone("the_quick_matrix_runs_without_docker");
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    // The replicas of `quick` under both models, measured for a shorter time; the kind tier runs all of `quick`.
    let matrix = folder.path().join("matrix.yaml");
    std::fs::write(&matrix, "{preset: quick, users: [20], rates: [20], duration: 6s, max_duration: 30s, cooldown: 1s, spawn_rate: 20}")
        .unwrap();
    let ended = run(&mut xtask_e2e("lm-test-embedded", &results, &["--config", matrix.to_str().unwrap()]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let first = ended.err.lines().next().unwrap();
    assert!(first.starts_with("cluster: embedded, because"), "{first}");
    let run = only_run(&results);
    assert_all_valid(&run, 4);
    for record in records(&run) {
        assert_exact(&record);
        assert_eq!(environment(&record, "cluster"), "embedded");
    }
    assert_eq!(open_rows(&run).len(), 2, "the open model has its own table");
    assert!(ended.err.contains("auto_summary_open.csv"), "the path of the table is printed: {}", ended.err);
    let report = std::fs::read_to_string(run.join("auto_summary.md")).unwrap();
    assert!(report.contains("| Cluster | embedded |"), "{report}");
    cluster::assert_nothing_runs("lm-test-embedded");
}

#[test]
fn medians_are_those_of_the_raw_samples() {
    let _turn = alone("medians_are_those_of_the_raw_samples");
    // The workers must be able to write here. They cannot write below /tmp: their pods have a volume in its place.
    let folder = tempfile::tempdir_in(required("E2E_TARGET")).unwrap();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(figures::medians_are_those_of_the_raw_samples(&cluster, folder.path()));
    cluster.end();
}

#[test]
fn a_stateful_set_is_measured_and_its_autoscaler_paused() {
    let _turn = beside_others("workloads", "a_stateful_set_is_measured_and_its_autoscaler_paused");
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(workloads::a_stateful_set_is_measured_and_its_autoscaler_paused(&cluster, folder.path()));
    cluster.end();
}

#[test]
fn a_service_that_sheds_load_is_not_the_best() {
    let _turn = alone("a_service_that_sheds_load_is_not_the_best");
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(figures::a_service_that_sheds_load_is_not_the_best(&cluster, folder.path()));
    cluster.end();
}

/// 60 requests/s are more than one replica can serve, which is 40. The row is not cited, and the
/// objective is missed.
#[test]
fn a_rate_that_is_not_kept_up_is_overload() {
    let _turn = alone("a_rate_that_is_not_kept_up_is_overload");
    let results = tempfile::tempdir().unwrap();
    let matrix = results.path().join("matrix.yaml");
    let text = "{replicas: [1], workers: [2], rates: [60], duration: 20s, max_duration: 20s, cooldown: 0s, objective: {p95_ms: 8000}}";
    std::fs::write(&matrix, text).unwrap();
    let matrix = matrix.to_str().unwrap();
    let ended = run(&mut xtask_e2e("lm-test-embedded", &results.path().join("runs"), &["--config", matrix]));
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    let folder = only_run(&results.path().join("runs"));
    let status = open_rows(&folder)[0].last().unwrap().clone();
    // On a busy machine the generator is late, and LOADGEN_LIMITED outranks OVERLOADED. The report names both.
    assert!(["OVERLOADED", "LOADGEN_LIMITED"].contains(&status.as_str()), "{status}");
    let report = std::fs::read_to_string(folder.join("auto_summary.md")).unwrap();
    assert!(report.contains("requests under way grow by"), "{report}");
    assert!(!report.contains("keep to it.") && !report.contains("keeps to it."), "{report}");
}

/// The largest matrix that the embedded cluster is made for. On two cores the machine limits the figures, but
/// every request is counted.
#[test]
fn eight_replicas_eight_workers_and_800_users_run() {
    let _turn = alone("eight_replicas_eight_workers_and_800_users_run");
    let results = tempfile::tempdir().unwrap();
    let matrix = results.path().join("matrix.yaml");
    let text = "{replicas: [8], workers: [8], users: [800], duration: 10s, cooldown: 0s, spawn_rate: 200}";
    std::fs::write(&matrix, text).unwrap();
    let matrix = matrix.to_str().unwrap();
    let ended = run(&mut xtask_e2e("lm-test-embedded", &results.path().join("runs"), &["--config", matrix]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let record = only_record(&only_run(&results.path().join("runs")));
    assert!(counts(&record, Span::Window).unwrap().requests > 0, "{record}");
    assert_eq!(replica_count(&record), 8);
    cluster::assert_nothing_runs("lm-test-embedded");
}

/// If the program that started the cluster is interrupted or killed, no process is left.
#[test]
fn nothing_is_left_after_a_kill_or_an_interruption() {
    let _turn = beside_others("stops", "nothing_is_left_after_a_kill_or_an_interruption");
    let before = Before::read();
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let folder = tempfile::tempdir().unwrap();
        let matrix = folder.path().join("matrix.yaml");
        std::fs::write(&matrix, "{preset: quick, duration: 30s, spawn_rate: 20}").unwrap();
        let (matrix, results) = (matrix.to_str().unwrap(), folder.path().join("results"));
        let mut running = Running::start(&mut xtask_e2e("lm-test-embedded", &results, &["--config", matrix]));
        running.await_line("RPS:", Duration::from_mins(3));
        let (ended, left) = before.left_after("lm-test-embedded", running, signal);
        assert_eq!((ended, left), (code, Vec::new()));
    }
}
