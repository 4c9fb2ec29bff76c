//! The replicas' own counts of requests, read before and after the load.

use std::collections::BTreeMap;

use futures::future::join_all;
use records::Replica;

use crate::cluster::{PodHttp, PodSummary};

/// The stub's counter of answered requests, by endpoint, status and caller.
const COUNTER: &str = "inference_requests_total";

/// One pod's counts for one caller, by `endpoint status`.
pub(super) type Counts = BTreeMap<String, u64>;
/// The counts of each pod, by its name; `None` for a pod that has no counter or does not answer.
pub(super) type PodCounts = BTreeMap<String, Option<Counts>>;

/// Reads the counts of all pods at the same time, from the metrics at `path`.
pub(super) async fn read(reach: &PodHttp, pods: &[PodSummary], path: &str, caller: &str) -> PodCounts {
    let counts =
        pods.iter().map(|pod| async move { (pod.name.clone(), read_one(reach, pod, path, caller).await) });
    join_all(counts).await.into_iter().collect()
}

async fn read_one(reach: &PodHttp, pod: &PodSummary, path: &str, caller: &str) -> Option<Counts> {
    parse(&reach.get(pod, path).await?, caller)
}

/// The counts of one caller in Prometheus text; `None` if the text does not have the counter.
fn parse(text: &str, caller: &str) -> Option<Counts> {
    text.contains(COUNTER).then(|| {
        let lines =
            text.lines().filter_map(|line| line.strip_prefix(COUNTER)?.strip_prefix('{')?.split_once('}'));
        let mut counts = Counts::new();
        for (labels, value) in lines {
            let label = |name: &str| {
                let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
            };
            if label("caller") == Some(caller)
                && let (Some(endpoint), Some(status)) = (label("endpoint"), label("status"))
                && let Ok(value) = value.trim().parse::<u64>()
            {
                *counts.entry(format!("{endpoint} {status}")).or_default() += value;
            }
        }
        counts
    })
}

/// The requests between two readings. A pod without counts in both has `None`.
pub(super) fn difference(before: &PodCounts, after: PodCounts) -> Vec<Replica> {
    let replicas = after.into_iter().map(|(pod, counts)| {
        let requests = counts.zip(before.get(&pod).cloned().flatten()).map(|(after, before)| {
            let new = after.into_iter().map(|(key, count)| {
                let count = count.saturating_sub(before.get(&key).copied().unwrap_or(0));
                (key, count)
            });
            new.filter(|(_, count)| *count > 0).collect()
        });
        Replica { pod, requests }
    });
    replicas.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# TYPE inference_requests counter
inference_requests_total{endpoint="/predict",status="200",caller="load"} 12
inference_requests_total{endpoint="/predict",status="500",caller="load"} 1
inference_requests_total{endpoint="/healthz",status="200",caller="kube-probe"} 40
inference_requests_started_total{endpoint="/predict",caller="load"} 13
"#;

    #[test]
    fn only_requests_of_the_caller_are_counted() {
        let counts = parse(TEXT, "load").unwrap();
        assert_eq!(counts, Counts::from([("/predict 200".into(), 12), ("/predict 500".into(), 1)]));
    }

    #[test]
    fn a_service_without_the_counter_has_no_counts() {
        assert_eq!(parse("process_cpu_seconds_total 1\n", "load"), None);
    }

    #[test]
    fn each_pod_has_its_own_difference() {
        let before = BTreeMap::from([("a".to_owned(), Some(Counts::from([("/predict 200".into(), 10)])))]);
        let counts = parse(TEXT, "load");
        let after = BTreeMap::from([("a".to_owned(), counts.clone()), ("b".to_owned(), counts)]);
        let replicas = difference(&before, after);
        let expected = Counts::from([("/predict 200".into(), 2), ("/predict 500".into(), 1)]);
        assert_eq!(replicas[0].requests, Some(expected));
        assert_eq!(replicas[1].requests, None, "the pod has no counts from before");
    }
}
