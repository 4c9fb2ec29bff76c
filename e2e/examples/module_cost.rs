//! The cost of our module beside the locustfile: a worker's CPU time per request with the module, divided by
//! that without it.
//!
//!     E2E_STUB=target/release/fake-inference cargo run -p e2e --example module_cost [PAIRS] [VERSION]
//!
//! Two Locusts run in containers with one worker each and the same script, one with `import locust_matrix`. Each
//! pair runs both for some seconds, side by side and in alternating order. Each worker itself records the CPU
//! time of its process and the requests between the start and the stop of a test. The last line on stdout is
//! the result: the geometric mean of the pairs' ratios, with its 95 % confidence interval after Student. Other
//! load on the machine widens the interval.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot continue has failed")]
#![expect(dead_code, reason = "the support is made for the container tests")]

#[path = "../tests/container/support.rs"]
mod support;

use locust_matrix::load::{Load, LoadGenerator};
use support::{Cluster, Setup, Stub, run_for, until};

const USERS: u32 = 6;
const SECONDS: f64 = 10.0;
/// 97.5 % quantiles of Student's t, from 1 degree of freedom on.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const METER: &str = r#"

import time

from locust import events
from locust.runners import WorkerRunner

meter = {"requests": 0, "cpu": 0.0}


@events.request.add_listener
def count(**_kwargs):
    meter["requests"] += 1


@events.test_start.add_listener
def begin(**_kwargs):
    meter.update(requests=0, cpu=time.process_time())


@events.test_stop.add_listener
def end(environment, **_kwargs):
    if isinstance(environment.runner, WorkerRunner):
        with open("/mnt/test/meter", "w") as file:
            file.write(f"{time.process_time() - meter['cpu']} {meter['requests']}")
"#;

/// Runs a load and returns the CPU time per request, ms.
async fn run(cluster: &Cluster, stub: &Stub) -> f64 {
    let load = &cluster.load;
    let file = cluster.folder.path().join("meter");
    let _ = std::fs::remove_file(&file);
    load.start(Load::Closed { users: USERS, spawn_rate: f64::from(USERS) }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(USERS, 1)).await;
    run_for(load, SECONDS).await;
    load.stop().await.unwrap();
    until(load, |snapshot| snapshot.is_idle(1)).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let (cpu, requests) = text.split_once(' ').unwrap();
    let (cpu, requests): (f64, f64) = (cpu.parse().unwrap(), requests.parse().unwrap());
    assert!(requests > 500.0, "{requests} requests are too few");
    1000.0 * cpu / requests
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let pairs: usize = arguments.next().map_or(10, |pairs| pairs.parse().unwrap());
    let version = arguments.next().unwrap_or_else(|| "2.47.0".to_owned());
    assert!((2..=STUDENT.len() + 1).contains(&pairs), "from 2 to {} pairs", STUDENT.len() + 1);
    let with = format!("{}{METER}", include_str!("../../manifests/base/locustfile.py"));
    let without: String = with.split_inclusive('\n').filter(|line| !line.contains("locust_matrix")).collect();
    let start = async |script: &str| {
        let setup = Setup { script: Some(script), stop_timeout: "2", ..Setup::new(&version, 1) };
        setup.start().await
    };
    let (with, without) = (start(&with).await, start(&without).await);
    assert!(with.load.capabilities().await.unwrap().caveat.is_none(), "one has the module");
    assert!(without.load.capabilities().await.unwrap().caveat.is_some(), "the other has not");
    let stub = Stub::start(&["--service-ms", "10", "--concurrency", "100"]);
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        // At the same time, because the machine's other work changes from second to second and so affects both.
        let (a, b) = if pair % 2 == 0 {
            tokio::join!(run(&with, &stub), run(&without, &stub))
        } else {
            let (b, a) = tokio::join!(run(&without, &stub), run(&with, &stub));
            (a, b)
        };
        println!("pair {}: {a:.4} ms with, {b:.4} ms without: {:+.2} %", pair + 1, 100.0 * (a / b - 1.0));
        ratios.push((a / b).ln());
    }
    let count = pairs as f64;
    let mean = ratios.iter().sum::<f64>() / count;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let half = STUDENT[pairs - 2] * (variance / count).sqrt();
    let percent = |log: f64| 100.0 * (log.exp() - 1.0);
    println!(
        "module_cost: {:+.2} % CPU per request, 95 % interval {:+.2} to {:+.2} %, {pairs} pairs, Locust {version}",
        percent(mean),
        percent(mean - half),
        percent(mean + half),
    );
}
