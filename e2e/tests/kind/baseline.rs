//! The measured table of the real service, from the stub's profile of it, over two replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::results::{only_run, records};
use e2e::tool::{Running, must};
use fake_inference::closed_loop::{Client, simulate_replicas};
use fake_inference::profile::Profile;
use records::Histogram;
use serde_json::Value;

use crate::kept::{Kept, settings};
use crate::verdicts::Cause;

/// Users, predictions/s, P95 (ms): two replicas, closed loop, no think time.
const TABLE: [(u32, f64, f64); 3] = [(10, 16.4, 686.0), (50, 16.8, 3930.0), (100, 21.2, 5463.0)];
/// Looks at the replicas within a window of a minute.
const LOOKS: usize = 20;
/// What a user of the manifests' locustfile does: four in five requests are predictions, and each request
/// takes some milliseconds beside its service.
const CLIENT: Client = Client { predictions: 0.8, overhead: 0.004 };

/// What a closed loop gives: predictions/s, and P95 (ms).
#[derive(Debug, Clone, Copy)]
struct Figures {
    throughput: f64,
    p95: f64,
}

/// Throughput within 10 % and P95 within 20 % of what is expected: of the table where both replicas got about
/// equal shares of the users, and else of the same profile with the shares that kube-proxy dealt out.
pub(crate) fn the_profile_has_the_measured_table(kept: &Kept<'_>) {
    let stub = Cause::stub(kept, &[("PROFILE", "flts-baseline")]);
    let text =
        "{replicas: [2], workers: [2], users: [10, 50, 100], duration: 60s, warmup: 10s, cooldown: 5s}";
    let matrix = settings(kept.folder, text);
    let results = kept.folder.join("baseline");
    let mut running = Running::start(&mut kept.sweep(&matrix, &results));
    let mut shares = Vec::new();
    for (at, (users, ..)) in TABLE.iter().enumerate() {
        running.await_line(&format!("[{}/3] replicas", at + 1), Duration::from_mins(2));
        running.await_line("warmed up", Duration::from_mins(1));
        shares.push(users_by_replica(kept, *users));
    }
    let ended = running.finish();
    stub.end();
    let records = records(&only_run(&results));
    assert_eq!(records.len(), TABLE.len(), "{}", ended.err);
    let mut wrong = Vec::new();
    for ((record, users), (all, throughput, p95)) in records.iter().zip(&shares).zip(TABLE) {
        let table = Figures { throughput, p95 };
        let (found, dealt) = (found(record), simulated(users));
        let uneven = users.iter().any(|&own| own.abs_diff(all as usize / 2) * 10 > all as usize / 2);
        let expected = if uneven { dealt } else { table };
        let off = |found: f64, expected: f64| 100.0 * (found / expected - 1.0);
        let (x, p) = (off(found.throughput, expected.throughput), off(found.p95, expected.p95));
        eprintln!(
            "{all} users, {users:?} by replica, {}: {:.2}/s, P95 {:.0} ms; table {throughput}/s, {p95} ms; \
             simulated with these shares {:.2}/s, {:.0} ms; off by {x:+.1} % and {p:+.1} %",
            record["verdict"]["judgement"], found.throughput, found.p95, dealt.throughput, dealt.p95
        );
        if x.abs() > 10.0 || p.abs() > 20.0 {
            wrong.push(format!("{all} users: {found:?}, {expected:?} expected"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// How the users of a closed loop without think time are spread, by the predictions that each replica has in
/// its system: a mean over some looks, made to add up to all users.
fn users_by_replica(kept: &Kept<'_>, users: u32) -> Vec<usize> {
    let pods = must(&mut kept.kubectl(&["get", "pods", "-l", "app=inference", "-o", "name"]));
    let mut inside: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..LOOKS {
        for pod in pods.lines() {
            let path =
                format!("/api/v1/namespaces/default/{}:8000/proxy/metrics", pod.replace("pod/", "pods/"));
            let page = must(&mut kept.kubectl(&["get", "--raw", &path]));
            let now = page.lines().find_map(|line| line.strip_prefix("inference_in_system ")).unwrap();
            *inside.entry(pod).or_default() += now.parse::<usize>().unwrap();
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let (all, users) = (inside.values().sum::<usize>(), users as usize);
    inside.values().map(|own| (own * users + all / 2) / all).collect()
}

fn found(record: &Value) -> Figures {
    let window = &record["window"];
    let endpoints = window["endpoints"].as_array().unwrap();
    let predict = endpoints.iter().find(|endpoint| endpoint["name"] == "/predict").unwrap();
    let histogram = serde_json::from_value::<Histogram>(predict["succeeded"].clone()).unwrap();
    let seconds = window["seconds"].as_f64().unwrap();
    let p95 = histogram.quantile(0.95).unwrap() as f64 / 1000.0;
    Figures { throughput: predict["requests"].as_f64().unwrap() / seconds, p95 }
}

/// The replicas with so many users each.
fn simulated(users: &[usize]) -> Figures {
    let outcome = simulate_replicas(Profile::FltsBaseline, users, CLIENT, 4000.0);
    Figures { throughput: outcome.throughput(), p95: 1000.0 * outcome.percentile(0.95) }
}
