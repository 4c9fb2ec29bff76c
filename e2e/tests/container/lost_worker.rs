//! A worker that is killed disturbs the load that runs at that moment, and no later one.

use std::time::Duration;

use locust_matrix::load::{Load, LoadGenerator, State};

use crate::on_both_versions;
use crate::support::{DEADMAN, Setup, Stub, one_place, until};

/// A lost worker is missing after 3 s instead of 30 s, and Locust forgets it 8 s later instead of a minute.
const IMPATIENT: &str = "
import locust.runners
import locust_matrix
from locust import HttpUser, constant, task

locust.runners.HEARTBEAT_LIVENESS = 3
locust.runners.HEARTBEAT_DEAD_INTERNAL = -8


class User(HttpUser):
    wait_time = constant(0.1)

    @task
    def predict(self):
        self.client.post('/predict', json={})
";

/// Locust starts the users of the running test anew when it forgets a worker. So it must have forgotten the worker
/// before the next test.
async fn a_killed_worker_does_not_disturb_the_next_load(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&[]);
    let mut cluster = Setup { script: Some(IMPATIENT), ..Setup::new(version, 2) }.start().await;
    cluster.load.start(Load::Closed { users: 4, spawn_rate: 20.0 }, &stub.url).await.unwrap();
    until(&cluster.load, |snapshot| snapshot.is_running(4, 2)).await;
    cluster.kill_worker().await;
    let load = &cluster.load;
    until(load, |snapshot| snapshot.present().count() == 1).await;
    load.stop().await.unwrap();
    until(load, |snapshot| snapshot.is_idle(1)).await;

    load.start(Load::Closed { users: 4, spawn_rate: 20.0 }, &stub.url).await.unwrap();
    let begun = until(load, |snapshot| snapshot.is_running(4, 1)).await;
    assert_eq!(begun.workers.len(), 1, "{version}: the lost one is forgotten: {}", begun.describe());
    loop {
        let snapshot = load.snapshot(DEADMAN).await.unwrap();
        assert!(snapshot.is_running(4, 1), "{version}: disturbed: {}", snapshot.describe());
        assert_eq!(snapshot.state, State::Running);
        if snapshot.now > begun.now + 11.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    load.stop().await.unwrap();
}

on_both_versions!(a_killed_worker_does_not_disturb_the_next_load);
