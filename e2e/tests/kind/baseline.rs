//! The stub with the real service's profile gives the table that was measured with the real service.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::results::{
    Span, endpoint_counts, only_run, records, succeeded_histogram, verdict_of, window_seconds,
};
use e2e::tool::{Running, output_of, say};
use fake_inference::closed_loop::{Client, simulate_replicas};
use fake_inference::profile::Profile;
use records::Histogram;
use serde_json::Value;

use crate::verdicts::StubVariables;
use e2e::kind::KeptCluster;

/// Users, predictions/s, P95 (ms): two replicas, closed loop, no think time.
const TABLE: [(u32, f64, f64); 3] = [(10, 16.4, 686.0), (50, 16.8, 3930.0), (100, 21.2, 5463.0)];
/// How often the replicas are asked within a window of a minute.
const POLLS: usize = 20;
/// A user of the manifests' locustfile: four in five requests are predictions, and each request takes some
/// milliseconds in addition to its service time.
const CLIENT: Client = Client { predictions: 0.8, overhead: 0.004 };

/// Figures of a closed loop.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Predictions/s.
    throughput: f64,
    /// P95 of the predictions, ms.
    p95: f64,
}

/// Throughput must be within 10 % and P95 within 20 % of the expected figures. If both replicas got about as
/// many users, those are the table's; if not, they are simulated from the same profile with the numbers of
/// users that kube-proxy gave each replica.
pub(crate) fn the_profile_gives_the_measured_table(cluster: &KeptCluster) {
    let stub = StubVariables::set(cluster, &[("PROFILE", "flts-baseline")]);
    let text =
        "{replicas: [2], workers: [2], users: [10, 50, 100], duration: 60s, warmup: 10s, cooldown: 5s}";
    let matrix = cluster.settings(text);
    let results = cluster.folder.join("baseline");
    let mut running = Running::start(&mut cluster.driver_run(&matrix, &results));
    let mut shares = Vec::new();
    for (at, (users, ..)) in TABLE.iter().enumerate() {
        running.await_line(&format!("[{}/3] replicas", at + 1), Duration::from_mins(2));
        running.await_line("warmed up", Duration::from_mins(1));
        shares.push(users_by_replica(cluster, *users));
    }
    let ended = running.finish();
    stub.restore();
    let folder = only_run(&results);
    let records = records(&folder);
    assert_eq!(records.len(), TABLE.len(), "{}", ended.err);
    let mut wrong = Vec::new();
    for ((record, users), (all, throughput, p95)) in records.iter().zip(&shares).zip(TABLE) {
        let table = Figures { throughput, p95 };
        let (found, dealt) = (found(record), simulated(users));
        let uneven = users.iter().any(|&own| own.abs_diff(all as usize / 2) * 10 > all as usize / 2);
        let expected = if uneven { dealt } else { table };
        let off = |found: f64, expected: f64| 100.0 * (found / expected - 1.0);
        let (x, p) = (off(found.throughput, expected.throughput), off(found.p95, expected.p95));
        say(&format!(
            "{all} users, {users:?} by replica, {}: {:.2}/s, P95 {:.0} ms; table {throughput}/s, {p95} ms; \
             simulated with these shares {:.2}/s, {:.0} ms; off by {x:+.1} % and {p:+.1} %",
            verdict_of(&folder, record).status,
            found.throughput,
            found.p95,
            dealt.throughput,
            dealt.p95
        ));
        if x.abs() > 10.0 || p.abs() > 20.0 {
            wrong.push(format!("{all} users: {found:?}, {expected:?} expected"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns how many users each replica serves in a closed loop without think time. Each user has one prediction
/// in a replica; the mean over some polls is scaled so that it adds up to all users.
fn users_by_replica(cluster: &KeptCluster, users: u32) -> Vec<usize> {
    let pods = output_of(&mut cluster.kubectl(&["get", "pods", "-l", "app=inference", "-o", "name"]));
    let mut inside: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..POLLS {
        for pod in pods.lines() {
            let path =
                format!("/api/v1/namespaces/default/{}:8000/proxy/metrics", pod.replace("pod/", "pods/"));
            let page = output_of(&mut cluster.kubectl(&["get", "--raw", &path]));
            let now = page.lines().find_map(|line| line.strip_prefix("inference_in_system ")).unwrap();
            *inside.entry(pod).or_default() += now.parse::<usize>().unwrap();
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let (all, users) = (inside.values().sum::<usize>(), users as usize);
    inside.values().map(|own| (own * users + all / 2) / all).collect()
}

fn found(record: &Value) -> Figures {
    let predictions = endpoint_counts(record, Span::Window, "/predict").unwrap().requests;
    let histogram = succeeded_histogram(record, Span::Window, "/predict");
    let histogram = serde_json::from_value::<Histogram>(histogram).unwrap();
    let p95 = histogram.quantile(0.95).unwrap() as f64 / 1000.0;
    Figures { throughput: predictions as f64 / window_seconds(record).unwrap(), p95 }
}

/// Simulates replicas with these numbers of users.
fn simulated(users: &[usize]) -> Figures {
    let outcome = simulate_replicas(Profile::FltsBaseline, users, CLIENT, 4000.0);
    Figures { throughput: outcome.throughput(), p95: 1000.0 * outcome.percentile(0.95) }
}
