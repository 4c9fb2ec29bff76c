//! A closed loop over one stub agrees with queueing theory.
//!
//! The model's service time is the mean that the stub itself reports for the window. So the test compares how
//! requests queue, not how random numbers average.

use std::time::Duration;

use fake_inference::closed_loop::theory::{Loop, Steady};
use locust_matrix::load::{Load, LoadGenerator};
use locust_matrix::measure::Figures;
use tokio::task::JoinSet;

use crate::support::{Setup, Stub, cut, run_for, stop, two_places, until};

const SLOTS: u32 = 4;
/// Long, so that what a client and a network add on a busy machine is small beside it. Half of each cycle is
/// think time, so that loads below, at and beyond the knee differ.
const SERVICE_MS: u32 = 500;
const SCRIPT: &str = r#"
import locust_matrix  # noqa: F401

from locust import HttpUser, constant, task

FEATURES = {name: 1.0 for name in (
    "down up rnti_count mcs_down mcs_up bler_down bler_up prb_down prb_up sinr_down sinr_up".split()
)}
BODY = {"data": [{"timestamp": "2024-01-15T10:00:00", "features": FEATURES}] * 30}


class PredictUser(HttpUser):
    wait_time = constant(0.500)

    @task
    def predict(self):
        self.client.post("/predict", json=BODY, headers={"User-Agent": "locust"})
"#;

/// Measures one load. Returns the measured figures, and those of the theory.
async fn measure(
    service: &'static str,
    seconds: f64,
    users: u32,
    theory: fn(&Loop) -> Steady,
) -> (Steady, Steady) {
    let slots = SLOTS.to_string();
    let milliseconds = SERVICE_MS.to_string();
    let arguments = ["--service", service, "--service-ms", &milliseconds, "--concurrency", &slots];
    let stub = Stub::start(&[&arguments[..], &["--seed", "1"]].concat());
    let cluster = Setup { script: Some(SCRIPT), ..Setup::new("2.47.0", 1) }.start().await;
    let load = &cluster.load;
    load.start(Load::Closed { users, spawn_rate: f64::from(users) }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(users, 1)).await;
    run_for(load, 3.0).await;
    let (opening, before) = (cut(load).await, stub.times("inference_service_seconds").await);
    run_for(load, seconds).await;
    let (closing, after) = (cut(load).await, stub.times("inference_service_seconds").await);
    let window = closing.since(&opening);
    stop(load, 1).await;
    let figures = Figures::of(window.endpoint("POST /predict").unwrap(), window.seconds);
    let found = Steady { throughput: figures.rps, response: figures.mean_ms.unwrap() / 1000.0 };
    let mean = (after.0 - before.0) / (after.1 - before.1);
    let think = Duration::from_millis(SERVICE_MS.into()).as_secs_f64();
    (found, theory(&Loop { users, slots: SLOTS, service: mean, think }))
}

async fn assert_agreement(service: &'static str, seconds: f64, theory: fn(&Loop) -> Steady) {
    let _turn = two_places().await;
    // All loads run at the same time, because together they use little of the machine.
    let mut loads = JoinSet::new();
    for users in [2, 4, 8, 12, 20] {
        loads.spawn(async move { (users, measure(service, seconds, users, theory).await) });
    }
    let mut wrong = Vec::new();
    for (users, (found, expected)) in loads.join_all().await {
        let throughput = found.throughput / expected.throughput - 1.0;
        let response = found.response / expected.response - 1.0;
        println!(
            "{service}, {users} users: {:.2}/s ({:+.2} %), mean {:.1} ms ({:+.2} %)",
            found.throughput,
            100.0 * throughput,
            1000.0 * found.response,
            100.0 * response
        );
        if throughput.abs() > 0.03 || response.abs() > 0.05 {
            wrong.push(format!("{users} users: {found:?}, theory says {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{service}: {wrong:#?}");
}

#[tokio::test]
async fn constant_service_agrees_with_the_bounds() {
    // Nothing is random, so there is nothing to average. But answers come four at a time, and a window may
    // contain one such time more or less.
    assert_agreement("constant", 40.0, Loop::constant).await;
}

#[tokio::test]
async fn exponential_service_agrees_with_the_machine_repair_model() {
    assert_agreement("exponential", 60.0, Loop::exponential).await;
}
