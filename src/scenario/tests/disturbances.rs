//! What becomes of a scenario that something outside disturbs: each cause with its outcome.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::cluster::cluster;
use super::script::Script;
use super::world::{WORKERS, World};
use super::{ONE, Ran, Verdict, attempt, run};
use crate::events::Events;
use crate::exit::ExitCode;
use crate::scenario::make_usable;

/// After this cause the scenario is VOID and is measured again.
#[track_caller]
fn assert_tried_again(ran: &Ran, why: &str) {
    assert_eq!(ran.attempts(), [(1, Verdict::Void), (2, Verdict::Valid)], "{:?}", ran.told);
    let told = ran.told.iter().find(|line| line.contains("VOID, once more")).unwrap();
    assert!(told.contains(why), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_killed() {
    let ran = run(ONE, Script { kill: Some((8.0, WORKERS)), kills: 1, ..Script::default() }).await;
    assert_tried_again(&ran, "the Locust workers changed while it was measured: load-worker-0 is gone");
    assert!(!ran.told.iter().any(|line| line.contains("short of CPU")), "{:?}", ran.told);
    assert!(ran.took_s < 90.0, "the window ends at once: {} s", ran.took_s);
    let ran = run(ONE, Script { kill: Some((8.0, WORKERS)), kills: 2, ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Void), (2, Verdict::Void)]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_killed_while_the_users_start() {
    let slow = "{replicas: [1], workers: [2], users: [20], duration: 20s, cooldown: 1s, spawn_rate: 2}";
    let script = Script { kill: Some((4.0, WORKERS)), kills: 1, ramp_s: 10.0, ..Script::default() };
    let ran = run(slow, script).await;
    assert_tried_again(&ran, "the load was disturbed");
    assert!(ran.took_s < 120.0, "the users are not waited for: {} s", ran.took_s);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_too_busy_to_answer() {
    let ran = run(ONE, Script { starved: Some(8.0..60.0), ..Script::default() }).await;
    ran.assert_judged(Verdict::LoadgenLimited, "Counts after 10 s");
    let ran = run(ONE, Script { starved: Some(8.0..13.0), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Valid)], "for a moment: {:?}", ran.judgement());
}

#[tokio::test(start_paused = true)]
async fn a_master_that_is_replaced() {
    let ran = run(ONE, Script { master_lost: Some(8.0), ..Script::default() }).await;
    assert_tried_again(&ran, "the load was disturbed: ready with 0 users; workers: none");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_paused() {
    let paused = || Some(8.0..28.0);
    let ran = run(ONE, Script { silent: paused(), api_away: paused(), ..Script::default() }).await;
    assert_tried_again(&ran, "does not answer");
    // The pause begins between two snapshots, or while a cut is made: the first ends 4 s after the warm-up of 2 s.
    for from in [8.5, 5.99] {
        let ran = run(ONE, Script { paused: Some(from..from + 14.0), ..Script::default() }).await;
        assert_tried_again(&ran, "The script did not answer for 14 s");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away() {
    // In the window it is not needed.
    let ran = run(ONE, Script { api_away: Some(8.0..13.0), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Valid)]);
    let ran = run(ONE, Script { api_away: Some(20.0..80.0), ..Script::default() }).await;
    assert_tried_again(&ran, "the API server does not answer");
    assert!(ran.records[0].window.is_some(), "the figures of the window are kept");
    let (ran, ended) = attempt(ONE, Script { api_away: Some(8.0..f64::INFINITY), ..Script::default() }).await;
    let error = ended.unwrap_err();
    assert_eq!((error.code, ran.attempts().len()), (ExitCode::Cluster, 1), "it is recorded first");
    assert!(error.message.starts_with("the API server does not answer after 90 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn another_driver() {
    let takes = Script { taken_at: Some(8.0), ..Script::default() };
    let (ran, ended) = attempt(ONE, takes).await;
    let error = ended.unwrap_err();
    assert!(error.message.starts_with("another driver has taken the Lease: b"), "{error}");
    assert_eq!((error.code, ran.attempts()), (ExitCode::Cluster, vec![(1, Verdict::Void)]));
}

#[tokio::test(start_paused = true)]
async fn a_load_generator_that_does_not_answer() {
    let ran = run(ONE, Script { silent: Some(8.0..16.0), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Valid)], "for less than 10 s: {:?}", ran.judgement());
    let ran = run(ONE, Script { silent: Some(8.0..68.0), ..Script::default() }).await;
    assert_tried_again(&ran, "the script does not answer");
    let silent = Script { silent: Some(8.0..f64::INFINITY), ..Script::default() };
    let (ran, ended) = attempt(ONE, silent).await;
    let error = ended.unwrap_err();
    assert_eq!((error.code, ran.attempts()), (ExitCode::Cluster, vec![(1, Verdict::Void)]));
    assert!(error.message.starts_with("Answer after 90 s"), "{error}");
    assert!(ran.told.iter().any(|line| line.contains("replacing its pods")), "{:?}", ran.told);
    assert!(ran.told.iter().any(|line| line.contains("waiting for The script, for 10 s")), "{:?}", ran.told);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set() {
    for by in [-30.0, 3.0] {
        let ran = run(ONE, Script { clock_set: Some((9.0, by)), ..Script::default() }).await;
        assert_tried_again(&ran, "the load generator's clock counted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_master_that_needs_a_restart() {
    let world = World::new(Script { needs_restart: true, ..Script::default() });
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = told.clone();
    let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
    let limit = Duration::from_secs(30);
    make_usable(&cluster(&world), &world, limit, &events).await.unwrap();
    let replaced: Vec<String> = world.state().lives.keys().cloned().collect();
    assert_eq!(replaced, ["load-master-0", "load-worker-0"], "and no pod of somebody else");
    let told = told.lock().unwrap().join("\n");
    assert!(
        told.contains("The script cannot be used (Answer after 30 s; last seen: the script does not answer)"),
        "{told}"
    );
}
