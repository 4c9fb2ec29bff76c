//! The requests under way at each replica, read while the load is measured.
//!
//! Full replicas finish the same number of requests however the users are spread over them. Only the requests that
//! are under way at each replica show that some users wait longer than others.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::callers::is_ours_or_probe;
use super::counts::{Page, PodCounts};
use super::metrics_text::{Sample, samples};
use crate::cluster::{PodHttp, PodSummary};
use crate::config::Counter;

/// The readings of one measurement.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// The pods that are asked; empty if there is nothing to compare.
    pods: Vec<PodSummary>,
    /// The sum of all readings of each pod, by its name.
    sums: BTreeMap<String, u64>,
    /// How often all pods were read.
    pub readings: u32,
}

impl UnderWay {
    /// Asks these pods. None of them is asked if one has no metrics page, because a comparison needs all.
    pub(super) fn of(pods: &[PodSummary], counts: &PodCounts) -> Self {
        let answers = |pod: &PodSummary| counts.get(&pod.name).is_some_and(|page| *page != Page::Silent);
        let pods = if pods.len() > 1 && pods.iter().all(answers) { pods.to_vec() } else { Vec::new() };
        Self { pods, ..Self::default() }
    }

    /// Reads all pods at the same time. The reading counts only if all of them answer within `limit`, because
    /// a mean over different moments would not compare the replicas.
    pub(super) async fn read(&mut self, reach: &PodHttp, path: &str, counter: &Counter, limit: Duration) {
        if self.pods.is_empty() {
            return;
        }
        let pages = join_all(self.pods.iter().map(|pod| reach.get(pod, path)));
        let Ok(pages) = timeout(limit, pages).await else { return };
        let Some(pages) = pages.into_iter().collect::<Option<Vec<String>>>() else { return };
        let Some(values) = pages.iter().map(|page| parse(page, counter)).collect::<Option<Vec<u64>>>() else {
            // A page without the gauge does not get one later.
            self.pods.clear();
            return;
        };
        for (pod, value) in self.pods.iter().zip(values) {
            *self.sums.entry(pod.name.clone()).or_default() += value;
        }
        self.readings += 1;
    }

    /// The mean of a pod's readings; `None` if there are none.
    pub(super) fn mean(&self, pod: &str) -> Option<f64> {
        Some(*self.sums.get(pod)? as f64 / f64::from(self.readings))
    }
}

/// The requests under way in a metrics page, except those of this program and of probes; `None` if it does not have
/// the gauge. Requests of other clients are load for the replica, too.
fn parse(text: &str, counter: &Counter) -> Option<u64> {
    let values = samples(text, &counter.under_way).ok()?;
    let label = counter.caller.as_deref().unwrap_or("caller");
    let others = values.iter().filter(|value| !is_ours_or_probe(value.label(label)));
    let sum = others.map(Sample::count).sum::<Option<u64>>()?;
    (!values.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cluster::ScriptedPods;

    const LIMIT: Duration = Duration::from_secs(1);

    fn pod(name: &str) -> PodSummary {
        PodSummary { name: name.into(), ..PodSummary::default() }
    }

    fn page(count: u32) -> String {
        format!(
            "inference_requests_in_flight{{endpoint=\"/predict\",caller=\"load\"}} {count}\n\
             inference_requests_in_flight{{endpoint=\"/metrics\",caller=\"load\"}} 1\n\
             inference_requests_in_flight{{endpoint=\"/metrics\",caller=\"locust-matrix\"}} 5\n"
        )
    }

    fn pages(answer: fn(&str) -> String) -> PodHttp {
        PodHttp::Scripted(ScriptedPods(Arc::new(move |pod| answer(&pod.name))))
    }

    fn counts(names: &[&str]) -> PodCounts {
        names.iter().map(|name| ((*name).to_owned(), Page::WithoutCounter)).collect()
    }

    #[tokio::test]
    async fn the_mean_is_that_of_all_requests_but_our_own() {
        let mut under_way = UnderWay::of(&[pod("a"), pod("b")], &counts(&["a", "b"]));
        under_way
            .read(&pages(|pod| page(if pod == "a" { 9 } else { 3 })), "1/m", &Counter::default(), LIMIT)
            .await;
        under_way.read(&pages(|_| page(4)), "1/m", &Counter::default(), LIMIT).await;
        assert_eq!((under_way.mean("a"), under_way.mean("b")), (Some(7.5), Some(4.5)));
        assert_eq!((under_way.readings, under_way.mean("c")), (2, None));
    }

    #[tokio::test]
    async fn without_the_gauge_or_the_counts_at_every_pod_nothing_is_known() {
        let mut without = UnderWay::of(&[pod("a"), pod("b")], &counts(&["a", "b"]));
        without
            .read(
                &pages(|pod| if pod == "a" { page(1) } else { String::new() }),
                "1/m",
                &Counter::default(),
                LIMIT,
            )
            .await;
        without.read(&pages(|_| page(1)), "1/m", &Counter::default(), LIMIT).await;
        assert_eq!((without.readings, without.mean("a")), (0, None));
        let no_counts = UnderWay::of(&[pod("a"), pod("b")], &counts(&["a"]));
        let one_pod = UnderWay::of(&[pod("a")], &counts(&["a"]));
        assert!(no_counts.pods.is_empty() && one_pod.pods.is_empty(), "no pod is asked");
    }

    #[test]
    fn the_gauge_may_have_another_name_and_no_clients() {
        let counter = Counter { under_way: "in_progress".into(), ..Counter::default() };
        assert_eq!(
            parse("in_progress{handler=\"/a\"} 3.0\nin_progress{handler=\"/b\"} 1\n", &counter),
            Some(4)
        );
        assert_eq!(parse("in_progress NaN\n", &counter), None);
    }
}
