//! The embedded cluster passes the same checks as Kubernetes, and does the main job without Docker.
//!
//! Tests that measure run alone: those of `measured`. The others run side by side, each with a cluster of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod changes;
mod cluster;
mod deployed;
mod figures;
mod handover;
mod kubectl;
mod measured;
mod scripts;
mod workloads;

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use cluster::Cluster;
use e2e::conformance::{self, Images};
use e2e::embedded::xtask_e2e;
use e2e::leftovers::Before;
use e2e::tool::{Clock, Running, say, set_prefix};
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
fn a_driver_that_waited_for_the_lease_finds_the_replicas_as_they_are_then() {
    let _turn =
        beside_others("handover", "a_driver_that_waited_for_the_lease_finds_the_replicas_as_they_are_then");
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(handover::finds_the_replicas_as_the_other_leaves_them(&cluster, folder.path()));
    cluster.end();
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
