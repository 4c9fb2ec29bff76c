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
        let mut counts = Counts::new();
        for (label, value) in labelled(text, COUNTER) {
            if label("caller") == Some(caller)
                && let (Some(endpoint), Some(status)) = (label("endpoint"), label("status"))
            {
                *counts.entry(format!("{endpoint} {status}")).or_default() += value;
            }
        }
        counts
    })
}

/// The values of one metric in Prometheus text, each with a function that returns a label of it.
pub(super) fn labelled<'a>(
    text: &'a str,
    metric: &str,
) -> impl Iterator<Item = (impl Fn(&str) -> Option<&'a str>, u64)> {
    let lines =
        text.lines().filter_map(move |line| line.strip_prefix(metric)?.strip_prefix('{')?.split_once('}'));
    lines.filter_map(|(labels, value)| {
        let label = move |name: &str| {
            let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
        };
        Some((label, value.trim().parse().ok()?))
    })
}

/// The requests of these pods between two readings. A pod without counts in both has `None`.
pub(super) fn difference(pods: &[PodSummary], before: &PodCounts, after: &PodCounts) -> Vec<Replica> {
    let counts = |counts: &PodCounts, pod: &PodSummary| counts.get(&pod.name).cloned().flatten();
    let replicas = pods.iter().map(|pod| {
        let requests = counts(after, pod).zip(counts(before, pod)).map(|(after, before)| {
            let new = after.into_iter().map(|(key, count)| {
                let count = count.saturating_sub(before.get(&key).copied().unwrap_or(0));
                (key, count)
            });
            new.filter(|(_, count)| *count > 0).collect()
        });
        Replica { pod: pod.name.clone(), requests, ..Replica::default() }
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
        let pods = ["a", "b"].map(|name| PodSummary { name: name.into(), ..PodSummary::default() });
        let replicas = difference(&pods, &before, &after);
        let expected = Counts::from([("/predict 200".into(), 2), ("/predict 500".into(), 1)]);
        assert_eq!(replicas[0].requests, Some(expected));
        assert_eq!(replicas[1].requests, None, "the pod has no counts from before");
    }
}
