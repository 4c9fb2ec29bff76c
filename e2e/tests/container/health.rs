//! What a worker reports about itself.

use locust_matrix::load::{Load, LoadGenerator};
use records::HealthWindow;

use crate::on_both_versions;
use crate::support::{Setup, Stub, cut, one_place, run_for, run_python, stop, two_places, until};

/// Returns one worker's health over a few seconds of load.
async fn health_under_load(version: &str, cores: Option<f64>, users: u32) -> HealthWindow {
    let stub = Stub::start(&["--service-ms", "20", "--concurrency", "100"]);
    let cluster = Setup { worker_cores: cores, ..Setup::new(version, 1) }.start().await;
    let load = &cluster.load;
    load.start(Load::Closed { users, spawn_rate: f64::from(users) }, &stub.url).await.unwrap();
    until(load, |snapshot| snapshot.is_running(users, 1)).await;
    let opening = cut(load).await;
    run_for(load, 6.0).await;
    let closing = cut(load).await;
    stop(load, 1).await;
    let health = |snapshot: &locust_matrix::load::Snapshot| snapshot.workers[0].health.clone().unwrap();
    health(&closing).since(&health(&opening))
}

async fn a_starved_worker_reports_it(version: &str) {
    let _turn = two_places().await;
    // Less than its share of any machine, so that the worker reaches its limit.
    let limit = 0.1;
    let starved = health_under_load(version, Some(limit), 12).await;
    println!("{version}, limit {limit} cores: {starved:?}");
    assert_eq!(starved.cpu_limit, Some(limit), "{version}");
    assert!(starved.cpu_seconds / starved.seconds > 0.9 * limit, "{version}: at its limit");
    let (periods, throttled) = (starved.periods.unwrap(), starved.throttled.unwrap());
    assert!(periods > 20 && throttled as f64 > 0.5 * periods as f64, "{version}: {throttled} of {periods}");
    assert!(starved.lag.quantile(0.95).unwrap() > 10, "{version}: its event loop is late");
}

async fn a_free_worker_reports_it(version: &str) {
    let _turn = two_places().await;
    let free = health_under_load(version, None, 2).await;
    println!("{version}, no limit: {free:?}");
    assert_eq!(free.cpu_limit, None, "{version}");
    assert_eq!(free.throttled.unwrap_or(0), 0, "{version}");
    assert!(free.cores >= 1 && free.seconds > 5.0, "{version}");
    assert!(free.cpu_seconds > 0.0 && free.cpu_seconds < 0.9 * free.seconds, "{version}");
    // One probe every 97 ms; late ones count, too.
    let probes = free.lag.count() as f64;
    assert!((probes - free.seconds / 0.097).abs() <= 2.0, "{version}: {probes} in {} s", free.seconds);
}

on_both_versions!(a_starved_worker_reports_it, a_free_worker_reports_it);

/// A cgroup of version 2 whose parent has the limit, as a pod is the parent of its container.
const GROUPS: &str = r#"
import os, sys
import locust_matrix_health as health

root = "/mnt/test/cgroup"
os.makedirs(root + "/pod/container")
for folder, limit, periods in (("/pod", "50000", 40), ("/pod/container", "max", 30)):
    with open(root + folder + "/cpu.max", "w") as file:
        file.write(limit + " 100000\n")
    with open(root + folder + "/cpu.stat", "w") as file:
        file.write(f"usage_usec 5\nnr_periods {periods}\nnr_throttled 3\n")
with open(root + "/own", "w") as file:
    file.write("0::/pod/container\n")
of_pod = health.cpu_group(root, root + "/own")
with open(root + "/own", "w") as file:
    file.write("0::/\n")
of_container = health.cpu_group(root + "/pod/container", root + "/own")
with open("/mnt/test/found", "w") as file:
    for group in (of_pod, of_container, health.cpu_group("/none", "/none")):
        print(group, health.read_cpu_group(group), file=file)
"#;

#[tokio::test]
async fn the_smallest_cpu_limit_above_a_worker_counts() {
    let _turn = one_place().await;
    let folder = run_python("2.47.0", GROUPS).await;
    let found = std::fs::read_to_string(folder.path().join("found")).unwrap();
    let expected = "/mnt/test/cgroup/pod (0.5, 40, 3)\n\
        /mnt/test/cgroup/pod/container (None, 30, 3)\n\
        None (None, None, None)\n";
    assert_eq!(found, expected);
}
