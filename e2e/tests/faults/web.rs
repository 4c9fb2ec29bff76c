//! Somebody who uses Locust's web page beside the driver.

use std::time::{Duration, Instant};

use e2e::namespace::Problem;
use kube::ResourceExt;
use serde_json::Value;

use crate::cluster::{Cluster, Method};

/// Stops the load or resets its counts. Locust has these as POST since 2.47.0, and as GET before.
pub(crate) fn change(cluster: &dyn Cluster, path: &str) -> Result<(), Problem> {
    ask(cluster, Method::Post, path).or_else(|_| ask(cluster, Method::Get, path)).map(drop)
}

fn ask(cluster: &dyn Cluster, method: Method, path: &str) -> Result<String, Problem> {
    let pods = cluster.namespace().pods("app=locust,role=master")?;
    let master = pods.first().ok_or("the master has no pod")?;
    cluster.ask_master(method, &master.name_any(), path)
}

/// How long a master that a fault has struck may take to answer again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(45);

/// Returns what is wrong if a load runs or begins. After a worker has died, Locust's state can stay "stopping" without a user;
/// the next load starts from that state, too.
pub(crate) fn load_that_runs(cluster: &dyn Cluster) -> Option<Problem> {
    let begun = Instant::now();
    let answer = loop {
        match ask(cluster, Method::Get, "/stats/requests") {
            Ok(answer) => break answer,
            Err(problem) if begun.elapsed() > ANSWERS_WITHIN => return Some(problem),
            Err(_) => std::thread::sleep(Duration::from_millis(500)),
        }
    };
    let value: Value = serde_json::from_str(&answer).unwrap_or_default();
    let (state, users) = (value["state"].as_str().unwrap_or_default(), value["user_count"].as_u64());
    let is_idle = users == Some(0) && matches!(state, "ready" | "stopped" | "stopping");
    (!is_idle).then(|| format!("Locust is {state} with {users:?} users"))
}
