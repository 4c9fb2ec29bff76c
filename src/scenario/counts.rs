//! What each replica says it has served: the pods' own counters, read before and after the load.

use std::collections::BTreeMap;

use futures::future::join_all;
use records::Replica;

use crate::cluster::{PodHttp, PodSummary};

/// The counter that the stub keeps, by endpoint, status and caller.
const COUNTER: &str = "inference_requests_total";
/// The caller as which the test script announces itself.
pub(super) const LOAD: &str = "locust";

/// One pod's counts for one caller, by `endpoint status`.
type Counts = BTreeMap<String, u64>;

/// Asks every pod, side by side. A pod that has no such counter, or cannot be
/// asked, has `None`.
pub(super) async fn ask(
    reach: &PodHttp,
    pods: &[PodSummary],
    place: &str,
    caller: &str,
) -> BTreeMap<String, Option<Counts>> {
    let asked =
        pods.iter().map(|pod| async move { (pod.name.clone(), ask_one(reach, pod, place, caller).await) });
    join_all(asked).await.into_iter().collect()
}

async fn ask_one(reach: &PodHttp, pod: &PodSummary, place: &str, caller: &str) -> Option<Counts> {
    parse(&reach.get(pod, place).await?, caller)
}

/// Reads the counter out of Prometheus text; `None` where it is not there at all.
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

/// What came between: pod by pod, for those that are there at both times.
pub(super) fn between(
    before: &BTreeMap<String, Option<Counts>>,
    after: BTreeMap<String, Option<Counts>>,
) -> Vec<Replica> {
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
inference_requests_total{endpoint="/predict",status="200",caller="locust"} 12
inference_requests_total{endpoint="/predict",status="500",caller="locust"} 1
inference_requests_total{endpoint="/healthz",status="200",caller="kube-probe"} 40
inference_requests_started_total{endpoint="/predict",caller="locust"} 13
"#;

    #[test]
    fn only_the_load_is_counted() {
        let counts = parse(TEXT, LOAD).unwrap();
        assert_eq!(counts, Counts::from([("/predict 200".into(), 12), ("/predict 500".into(), 1)]));
    }

    #[test]
    fn a_service_without_the_counter_has_none() {
        assert_eq!(parse("process_cpu_seconds_total 1\n", LOAD), None);
    }

    #[test]
    fn the_difference_is_per_pod() {
        let before = BTreeMap::from([("a".to_owned(), Some(Counts::from([("/predict 200".into(), 10)])))]);
        let after =
            BTreeMap::from([("a".to_owned(), parse(TEXT, LOAD)), ("b".to_owned(), parse(TEXT, LOAD))]);
        let replicas = between(&before, after);
        let expected = Counts::from([("/predict 200".into(), 2), ("/predict 500".into(), 1)]);
        assert_eq!(replicas[0].requests, Some(expected));
        assert_eq!(replicas[1].requests, None, "a pod that was not asked before has no difference");
    }
}
