//! Which of the requests that the replicas counted are the load's.
//!
//! A replica also answers probes, scrapes, this program and perhaps other clients. Locustfiles name themselves as
//! they like, so that the load is what remains, and only if that is certain.

use std::collections::{BTreeMap, BTreeSet};

use records::{Replica, Window};

use super::counts::{Counts, Series};
use crate::config::Inference;
use crate::http::PRODUCT;

/// What is known of the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// The caller that it most probably is.
    pub(super) caller: &'a str,
    /// Its users, each of which may have a request under way when the counts are read.
    pub(super) users: u32,
    /// Its own counts; `None` if they are not known.
    pub(super) whole_run: Option<&'a Window>,
}

/// Whether this caller is never the load: this program, or the kubelet.
pub(super) fn is_ours_or_probe(caller: Option<&str>) -> bool {
    caller.is_some_and(|caller| caller == PRODUCT || caller.starts_with("kube-probe"))
}

/// The counts of the load at each replica. `None` at a replica whose counts are unknown, and at all of them if the
/// load's requests cannot be told apart from others; then the second value says why.
pub(super) fn of_load(
    replicas: &[(String, Option<Counts>)],
    load: &Load<'_>,
    inference: &Inference,
) -> (Vec<Replica>, Option<String>) {
    let known: Vec<&Counts> = replicas.iter().filter_map(|(_, counts)| counts.as_ref()).collect();
    let chosen = choose(&known, load, inference);
    let (chosen, why) = match chosen {
        Ok(chosen) => (Some(chosen), None),
        Err(why) => (None, why),
    };
    let counted = |counts: &Counts| {
        let chosen = chosen.as_ref()?;
        let mut requests = BTreeMap::new();
        for (series, count) in counts.iter().filter(|(series, _)| chosen.contains(*series)) {
            *requests
                .entry(format!("{} {}", series.endpoint, series.status).trim().to_owned())
                .or_default() += count;
        }
        Some(requests)
    };
    let replica = |(pod, counts): &(String, Option<Counts>)| Replica {
        pod: pod.clone(),
        requests: counts.as_ref().and_then(counted),
        ..Replica::default()
    };
    (replicas.iter().map(replica).collect(), why)
}

/// The series of the load; or why they are not certain, if there is anything to say.
fn choose(
    known: &[&Counts],
    load: &Load<'_>,
    inference: &Inference,
) -> Result<BTreeSet<Series>, Option<String>> {
    let all: BTreeSet<&Series> = known.iter().flat_map(|counts| counts.keys()).collect();
    let others: BTreeSet<&Series> =
        all.into_iter().filter(|series| !is_ours_or_probe(series.caller.as_deref())).collect();
    let total = load.whole_run.map(|run| run.aggregated.requests);
    let sum = |chosen: &BTreeSet<&Series>| -> u64 {
        known
            .iter()
            .flat_map(|counts| counts.iter())
            .filter(|(series, _)| chosen.contains(series))
            .map(|(_, n)| n)
            .sum()
    };
    let owned = |chosen: BTreeSet<&Series>| chosen.into_iter().cloned().collect();
    if !inference.counter.labels.is_empty() {
        return Ok(owned(others));
    }
    let pages = [inference.probe_path(), page_path(&inference.metrics)];
    let is_page = |series: &Series| pages.contains(&series.endpoint);
    let load_asks_pages = load.whole_run.is_none_or(|run| {
        run.endpoints
            .iter()
            .any(|endpoint| pages.iter().any(|page| endpoint.name.split('?').next() == Some(page)))
    });
    if others.iter().all(|series| series.caller.is_none()) && !others.is_empty() {
        // Probes and scrapes are among these counts.
        if load_asks_pages {
            return Err(Some(format!(
                "unknown, because {} does not tell clients apart, and the load asks {} as probes do",
                inference.counter.name,
                pages.join(" or ")
            )));
        }
        let served: BTreeSet<&Series> = others.into_iter().filter(|series| !is_page(series)).collect();
        let is_too_much = total.is_some_and(|total| sum(&served) > total + tolerance(total, load.users));
        return if is_too_much {
            Err(Some(format!(
                "unknown, because {} counts requests of other clients, too",
                inference.counter.name
            )))
        } else {
            certain(owned(served), total)
        };
    }
    // Who asks only for health and metrics is no load, unless the load does so, too.
    let callers: BTreeSet<Option<&str>> = others
        .iter()
        .filter(|series| load_asks_pages || !is_page(series))
        .map(|series| series.caller.as_deref())
        .collect();
    let of = |wanted: &BTreeSet<Option<&str>>| -> BTreeSet<&Series> {
        others.iter().filter(|series| wanted.contains(&series.caller.as_deref())).copied().collect()
    };
    if callers.len() <= 1 {
        return certain(owned(of(&callers)), total);
    }
    let agrees = |wanted: &BTreeSet<Option<&str>>| {
        total.is_some_and(|total| sum(&of(wanted)).abs_diff(total) <= tolerance(total, load.users))
    };
    let preferred = BTreeSet::from([Some(load.caller)]);
    let alone = callers.iter().map(|caller| BTreeSet::from([*caller]));
    let mut candidates = std::iter::once(preferred).chain([callers.clone()]).chain(alone);
    if let Some(wanted) = candidates.find(|wanted| wanted.is_subset(&callers) && agrees(wanted)) {
        return Ok(owned(of(&wanted)));
    }
    let names: Vec<&str> = callers.iter().map(|caller| caller.unwrap_or("(none)")).collect();
    Err(Some(format!(
        "unknown, because requests came from several clients, {}, and none of their counts agrees with the load's; \
         name the load's with inference.counter.labels",
        names.join(" and ")
    )))
}

/// Counts of zero say that the load went elsewhere, or that the counter counts something else.
fn certain(chosen: BTreeSet<Series>, total: Option<u64>) -> Result<BTreeSet<Series>, Option<String>> {
    if chosen.is_empty() && total.is_none_or(|total| total > 0) {
        return Err(Some("unknown, because the replicas have counted no request of the load".into()));
    }
    Ok(chosen)
}

/// How far the counts of the replicas and of the load may be apart: a request may be under way, or be lost.
fn tolerance(total: u64, users: u32) -> u64 {
    (total / 50).max(u64::from(users) + 5)
}

/// The path of the metrics page.
fn page_path(metrics: &str) -> String {
    let page = crate::config::PodPage::parse(metrics);
    page.map(|page| format!("/{}", page.path.split('?').next().unwrap_or_default())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::counts::tests::counts;
    use super::*;
    use records::{Endpoint, Histogram};

    /// The load's own counts, with these endpoints.
    fn window(requests: u64, endpoints: &[&str]) -> Window {
        let endpoint = |name: &str| Endpoint {
            method: "POST".into(),
            name: name.into(),
            requests,
            failures: 0,
            total_ms: 0.0,
            histogram: Histogram::default(),
            succeeded: Histogram::default(),
            from_send: None,
        };
        let endpoints = endpoints.iter().map(|name| endpoint(name)).collect();
        Window { seconds: 1.0, cut_spread_ms: 0.0, aggregated: endpoint("Aggregated"), endpoints }
    }

    /// The load's total at one replica with these counts.
    fn total(all: &[(Option<&str>, &str, &str, u64)], run: &Window) -> Result<u64, String> {
        let load = Load { caller: "locust", users: 4, whole_run: Some(run) };
        let replicas = [("a".to_owned(), Some(counts(all)))];
        let (replicas, why) = of_load(&replicas, &load, &Inference::default());
        replicas[0].total().ok_or_else(|| why.unwrap_or_default())
    }

    const PROBES: [(Option<&str>, &str, &str, u64); 3] = [
        (Some("kube-probe"), "/healthz", "200", 30),
        (Some("locust-matrix"), "/metrics", "200", 9),
        (Some("prometheus"), "/metrics", "200", 7),
    ];

    #[test]
    fn the_only_client_besides_probes_and_scrapes_is_the_load_whatever_its_name() {
        let run = window(1000, &["/predict"]);
        for caller in ["locust", "python-requests", "none", "my-client"] {
            let mut all = PROBES.to_vec();
            all.extend([(Some(caller), "/predict", "200", 990), (Some(caller), "/predict", "500", 10)]);
            assert_eq!(total(&all, &run), Ok(1000), "{caller}");
        }
        // The stub's own script asks for health and metrics, too; a scraper is then one of several clients.
        let run = window(1000, &["/predict", "/healthz", "/metrics"]);
        let mut all = PROBES.to_vec();
        all.extend([(Some("locust"), "/predict", "200", 800), (Some("locust"), "/healthz", "200", 200)]);
        assert_eq!(total(&all, &run), Ok(1000));
    }

    #[test]
    fn several_clients_count_only_if_it_is_certain_which_is_the_load() {
        let run = window(1000, &["/predict"]);
        let two = |other: u64| {
            [
                (Some("python-requests"), "/predict", "200", 1000 - other),
                (Some("geventhttpclient"), "/predict", "200", other),
            ]
        };
        assert_eq!(total(&two(400), &run), Ok(1000), "two kinds of users of one locustfile");
        let with_guest =
            [(Some("python-requests"), "/predict", "200", 1000), (Some("curl"), "/predict", "200", 300)];
        assert_eq!(total(&with_guest, &run), Ok(1000), "the counts of one agree");
        let unclear = [(Some("a"), "/predict", "200", 700), (Some("b"), "/predict", "200", 600)];
        assert!(total(&unclear, &run).unwrap_err().contains("several clients, a and b"));
    }

    #[test]
    fn a_counter_without_callers_counts_what_is_neither_health_nor_metrics() {
        let all =
            [(None, "/predict", "200", 1000), (None, "/healthz", "200", 30), (None, "/metrics", "200", 9)];
        assert_eq!(total(&all, &window(1000, &["/predict"])), Ok(1000));
        let too = total(&all, &window(1000, &["/predict", "/healthz"]));
        assert!(too.unwrap_err().contains("does not tell clients apart"));
        let guests = total(&all, &window(500, &["/predict"]));
        assert!(guests.unwrap_err().contains("other clients"));
    }

    #[test]
    fn no_count_of_the_load_is_unknown_and_never_zero() {
        assert!(total(&PROBES, &window(1000, &["/predict"])).unwrap_err().contains("no request of the load"));
        assert!(total(&[], &window(1000, &["/predict"])).is_err());
        assert_eq!(total(&PROBES, &window(0, &["/predict"])), Ok(0), "there was no request");
        // One of two replicas without requests is an imbalance, and known.
        let run = window(1000, &["/predict"]);
        let load = Load { caller: "locust", users: 4, whole_run: Some(&run) };
        let busy = counts(&[(Some("x"), "/predict", "200", 1000)]);
        let replicas = [("a".into(), Some(busy)), ("b".into(), Some(Counts::new())), ("c".into(), None)];
        let (replicas, _) = of_load(&replicas, &load, &Inference::default());
        assert_eq!(replicas.iter().map(Replica::total).collect::<Vec<_>>(), [Some(1000), Some(0), None]);
    }

    #[test]
    fn labels_of_the_settings_choose_the_load() {
        let mut inference = Inference::default();
        inference.counter.labels = BTreeMap::from([("client".into(), "load".into())]);
        let run = window(1000, &["/predict", "/healthz"]);
        let load = Load { caller: "locust", users: 4, whole_run: Some(&run) };
        let chosen = counts(&[(None, "/predict", "200", 5), (None, "/healthz", "", 2)]);
        let (replicas, why) = of_load(&[("a".into(), Some(chosen))], &load, &inference);
        assert_eq!((replicas[0].total(), why), (Some(7), None));
        assert!(replicas[0].requests.as_ref().unwrap().contains_key("/healthz"));
    }
}
