//! The replicas' own counts of requests, read before and after the load.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::metrics_text::{is_declared, samples};
use crate::cluster::{PodHttp, PodSummary};
use crate::config::{Counter, Inference};

/// Labels that may hold the endpoint, unless the settings name one.
const ENDPOINTS: [&str; 7] = ["endpoint", "handler", "route", "path", "uri", "grpc_method", "model"];
/// Labels that may hold the status, unless the settings name one.
const STATUSES: [&str; 5] = ["status", "code", "status_code", "http_status", "grpc_code"];

/// What one value of the counter counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    /// The client, if the service tells clients apart.
    pub(super) caller: Option<String>,
    pub(super) endpoint: String,
    pub(super) status: String,
}

/// The counts of one pod.
pub(super) type Counts = BTreeMap<Series, u64>;

/// What a pod answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// It did not answer.
    Silent,
    /// A page without the counter. A client may show a counter only after the first request.
    WithoutCounter,
    /// A page that has the counter in a way that is not understood.
    Unreadable,
    /// The counts.
    Counts(Counts),
}

/// The page of each pod, by its name.
pub(super) type PodCounts = BTreeMap<String, Page>;

/// Reads the counts of all pods at the same time.
pub(super) async fn read(reach: &PodHttp, pods: &[PodSummary], inference: &Inference) -> PodCounts {
    let pages = pods.iter().map(|pod| async move {
        let page = match reach.get(pod, &inference.metrics).await {
            Some(text) => parse(&text, &inference.counter),
            None => Page::Silent,
        };
        (pod.name.clone(), page)
    });
    join_all(pages).await.into_iter().collect()
}

/// The counts on a metrics page.
fn parse(text: &str, counter: &Counter) -> Page {
    let name = counter.name.as_str();
    let Ok(values) = samples(text, name) else { return Page::Unreadable };
    if values.is_empty() && !is_declared(text, name) {
        return Page::WithoutCounter;
    }
    let mut counts = Counts::new();
    for value in &values {
        let Some(count) = value.count() else { return Page::Unreadable };
        if counter.labels.iter().any(|(label, wanted)| value.label(label) != Some(wanted)) {
            continue;
        }
        let first = |named: &Option<String>, usual: &[&str]| {
            let usual = || usual.iter().find_map(|label| value.label(label));
            named.as_ref().map_or_else(usual, |label| value.label(label)).unwrap_or_default().to_owned()
        };
        let caller = value.label(counter.caller.as_deref().unwrap_or("caller")).map(str::to_owned);
        let series = Series {
            caller,
            endpoint: first(&counter.endpoint, &ENDPOINTS),
            status: first(&counter.status, &STATUSES),
        };
        *counts.entry(series).or_default() += count;
    }
    Page::Counts(counts)
}

/// The requests of a pod between two readings; `None` if they are not known.
pub(super) fn difference(before: Option<&Page>, after: Option<&Page>) -> Option<Counts> {
    let none = Counts::new();
    let before = match before? {
        Page::Counts(counts) => counts,
        Page::WithoutCounter => &none,
        Page::Silent | Page::Unreadable => return None,
    };
    let Page::Counts(after) = after? else { return None };
    let new = after.iter().map(|(series, count)| {
        // A counter that has fallen was reset: what it counted before is lost.
        let new = count.checked_sub(before.get(series).copied().unwrap_or(0))?;
        Some((series.clone(), new))
    });
    let new: Option<Counts> = new.collect();
    new.map(|counts| counts.into_iter().filter(|(_, count)| *count > 0).collect())
}

/// Why no pod has counts, for the user; `None` if one has, or if none is asked.
pub(super) fn why_unknown(pages: &PodCounts, inference: &Inference) -> Option<String> {
    let (name, metrics) = (&inference.counter.name, &inference.metrics);
    if metrics.is_empty() || pages.values().any(|page| matches!(page, Page::Counts(_))) {
        return None;
    }
    let (pod, page) = pages.iter().next()?;
    let problem = match page {
        Page::Silent => format!("pod {pod} does not answer at {metrics}"),
        Page::Unreadable => format!("the counter {name} of pod {pod} at {metrics} is not understood"),
        _ => format!("the page of pod {pod} at {metrics} has no counter {name}"),
    };
    Some(format!(
        "unknown, because {problem}; set inference.counter to the service's counter of \
         requests, or inference.metrics to '' if it has none"
    ))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::scenario) fn counts(all: &[(Option<&str>, &str, &str, u64)]) -> Counts {
        let series = |(caller, endpoint, status, count): &(Option<&str>, &str, &str, u64)| {
            let caller = caller.map(str::to_owned);
            (Series { caller, endpoint: (*endpoint).into(), status: (*status).into() }, *count)
        };
        all.iter().map(series).collect()
    }

    const TEXT: &str = r#"# TYPE inference_requests counter
inference_requests_total{endpoint="/predict",status="200",caller="load"} 12.0
inference_requests_total{endpoint="/predict",status="500",caller="load"} 1
inference_requests_total{endpoint="/healthz",status="200",caller="kube-probe"} 40
inference_requests_started_total{endpoint="/predict",caller="load"} 13
"#;

    fn page(text: &str) -> Page {
        parse(text, &Counter::default())
    }

    #[test]
    fn the_counts_of_every_caller_endpoint_and_status_are_read() {
        let expected = [
            (Some("load"), "/predict", "200", 12),
            (Some("load"), "/predict", "500", 1),
            (Some("kube-probe"), "/healthz", "200", 40),
        ];
        assert_eq!(page(TEXT), Page::Counts(counts(&expected)));
    }

    #[test]
    fn a_page_without_the_counter_or_with_one_like_it_has_no_counts() {
        for text in [
            "process_cpu_seconds_total 1\n",
            "my_inference_requests_total{endpoint=\"/predict\"} 5\n",
            "inference_requests_total_v2 5\n# about inference_requests_total\n",
            "<html>inference_requests_total</html>",
            "",
        ] {
            assert_eq!(page(text), Page::WithoutCounter, "{text}");
        }
        for text in
            ["inference_requests_total NaN", "inference_requests_total 1.5", "inference_requests_total{a 1"]
        {
            assert_eq!(page(text), Page::Unreadable, "{text}");
        }
        assert_eq!(page("# TYPE inference_requests_total counter\n"), Page::Counts(Counts::new()));
    }

    #[test]
    fn name_and_labels_of_the_counter_are_settings() {
        let text = "http_requests_total{handler=\"/a\",method=\"POST\",code=\"2xx\",job=\"x\"} 3\n\
                    http_requests_total{handler=\"/a\",method=\"POST\",code=\"2xx\",job=\"y\"} 4\n";
        let named = Counter { name: "http_requests_total".into(), ..Counter::default() };
        assert_eq!(parse(text, &named), Page::Counts(counts(&[(None, "/a", "2xx", 7)])));
        let chosen = Counter {
            endpoint: Some("method".into()),
            caller: Some("job".into()),
            labels: BTreeMap::from([("job".into(), "y".into())]),
            ..named
        };
        assert_eq!(parse(text, &chosen), Page::Counts(counts(&[(Some("y"), "POST", "2xx", 4)])));
    }

    #[test]
    fn a_difference_needs_both_pages_and_a_counter_that_only_grows() {
        let before = Page::Counts(counts(&[(None, "/a", "200", 10)]));
        let after = Page::Counts(counts(&[(None, "/a", "200", 12), (None, "/b", "200", 1)]));
        let new = Some(counts(&[(None, "/a", "200", 2), (None, "/b", "200", 1)]));
        assert_eq!(difference(Some(&before), Some(&after)), new);
        assert_eq!(difference(Some(&after), Some(&before)), None, "the counter fell");
        assert_eq!(difference(None, Some(&after)), None, "the pod is new");
        assert_eq!(difference(Some(&Page::Silent), Some(&after)), None);
        assert_eq!(difference(Some(&before), Some(&Page::Unreadable)), None);
        assert_eq!(
            difference(Some(&Page::WithoutCounter), Some(&before)),
            Some(counts(&[(None, "/a", "200", 10)]))
        );
    }

    #[test]
    fn unknown_counts_are_explained_with_the_counter_that_is_looked_for() {
        let of = |page: Page| PodCounts::from([("a".into(), page)]);
        let inference = Inference::default();
        let why = why_unknown(&of(Page::WithoutCounter), &inference).unwrap();
        assert!(why.contains("pod a at 8000/metrics has no counter inference_requests_total"), "{why}");
        assert!(why_unknown(&of(Page::Silent), &inference).unwrap().contains("does not answer"));
        assert_eq!(why_unknown(&of(Page::Counts(Counts::new())), &inference), None);
        assert_eq!(why_unknown(&of(Page::Silent), &Inference { metrics: String::new(), ..inference }), None);
    }
}
