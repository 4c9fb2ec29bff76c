//! What the valid rows say, each sentence with the rows it rests on.

use records::{Scenario, ms};

use crate::events::many;
use crate::judge::Point;

/// A sentence for the report.
pub(super) type Sentence = String;

impl Point<'_, '_> {
    fn scenario(&self) -> Option<&Scenario> {
        self.rows.first().map(|row| &row.record.scenario)
    }

    fn is_open(&self) -> bool {
        self.rows.first().is_some_and(|row| row.is_open())
    }

    /// Whether both are of one model, with the same workers.
    fn is_beside(&self, other: &Self) -> bool {
        let key = |point: &Self| point.scenario().map(|s| (s.mode, s.workers));
        key(self) == key(other)
    }

    /// What it is loaded with: users or requests per second.
    fn load(&self) -> f64 {
        self.scenario().map_or(0.0, |s| s.rate.unwrap_or_else(|| f64::from(s.users)))
    }

    fn replicas(&self) -> u32 {
        self.scenario().map_or(0, |s| s.replicas)
    }
}

/// Best throughput, best latency, averages; the two models apart.
pub(super) fn key_findings(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let closed: Vec<_> = points.iter().filter(|point| !point.is_open()).collect();
    let mut sentences = best(&closed, "");
    if !closed.is_empty() {
        let count = closed.len() as f64;
        let rps = closed.iter().map(|point| point.rps).sum::<f64>() / count;
        let failed = closed.iter().flat_map(|point| &point.rows).filter_map(|row| row.primary?.failures_pct);
        let rows = closed.iter().map(|point| point.rows.len()).sum::<usize>();
        let names = listed(closed.iter().map(|point| point.name()));
        sentences.push(format!(
            "Averages over {} ({names}): {rps:.1} requests/s, {:.2} % failed. \
             (Percentiles are not averaged: the mean of percentiles is no percentile.)",
            many(u32::try_from(rows).unwrap_or(u32::MAX), "valid scenario"),
            failed.sum::<f64>() / rows as f64
        ));
    }
    let open: Vec<_> = points.iter().filter(|point| point.is_open()).collect();
    sentences.extend(best(&open, "Open model: "));
    sentences
}

fn best(points: &[&Point<'_, '_>], prefix: &str) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    if let Some(point) = points.iter().max_by(|a, b| a.rps.total_cmp(&b.rps)) {
        sentences.push(format!(
            "{prefix}Best throughput: {:.1} requests/s with {}.",
            point.rps,
            point.name()
        ));
    }
    let with_p95 = points.iter().filter_map(|point| Some((point, point.p95_us?)));
    if let Some((point, p95)) = with_p95.min_by_key(|(_, p95)| *p95) {
        sentences.push(format!("{prefix}Best latency: P95 {} ms with {}.", ms(p95), point.name()));
    }
    sentences
}

/// What more replicas bring, by rows that differ in nothing else.
pub(super) fn performance(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for point in points.iter().filter(|point| !point.is_open()) {
        let next = points.iter().filter(|other| {
            other.is_beside(point)
                && other.load().total_cmp(&point.load()).is_eq()
                && other.replicas() > point.replicas()
        });
        if let Some(more) = next.min_by_key(|other| other.replicas())
            && let Some(scenario) = point.scenario()
            && point.rps > 0.0
        {
            let gain = more.rps / point.rps;
            let factor = f64::from(more.replicas()) / f64::from(point.replicas());
            let meaning = if gain >= 0.8 * factor {
                "the service scales with its replicas here"
            } else if gain >= 1.1 {
                "less than in proportion: part of the load no longer fills the replicas, or they share a limit"
            } else {
                "no gain: these users do not need more replicas, or something else limits them"
            };
            sentences.push(format!(
                "{} on {}: {} → {} replicas gives {:.1} → {:.1} requests/s (× {gain:.2} for × {factor:.2} replicas); {meaning}.",
                many(scenario.users, "user"),
                many(scenario.workers, "worker"),
                point.replicas(),
                more.replicas(),
                point.rps,
                more.rps,
            ));
        }
    }
    sentences
}

/// Where latency is queueing, by rows that differ in users only.
pub(super) fn latency(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for point in points.iter().filter(|point| !point.is_open()) {
        let fewer = points.iter().filter(|other| {
            other.is_beside(point) && other.replicas() == point.replicas() && other.load() < point.load()
        });
        if let Some(less) = fewer.max_by(|a, b| a.load().total_cmp(&b.load()))
            && let (Some(now), Some(before)) = (point.p95_us, less.p95_us)
            && let Some(scenario) = point.scenario()
            && less.rps > 0.0
            && point.rps < 1.1 * less.rps
            && now as f64 > 1.3 * before as f64
        {
            sentences.push(format!(
                "{}, {}: {} → {} users raises P95 from {} to {} ms while throughput stays at {:.1} requests/s: \
                 the replicas are full, and further users only wait. Add replicas, or allow fewer requests at a time.",
                many(scenario.replicas, "replica"),
                many(scenario.workers, "worker"),
                less.load(),
                scenario.users,
                ms(before),
                ms(now),
                point.rps,
            ));
        }
    }
    sentences
}

/// For each load, the fewest replicas whose valid rows keep to every goal, or that none do.
pub(super) fn objective(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let mut loads: Vec<&Point<'_, '_>> = Vec::new();
    for point in points {
        if !loads.iter().any(|known| known.is_beside(point) && known.load().total_cmp(&point.load()).is_eq())
        {
            loads.push(point);
        }
    }
    let told = loads.into_iter().filter_map(|load| {
        let workers = many(load.scenario()?.workers, "worker");
        let what = format!("{} on {workers}", load.rows.first()?.load());
        let same = points
            .iter()
            .filter(|other| other.is_beside(load) && other.load().total_cmp(&load.load()).is_eq());
        let enough = same.clone().filter(|point| keeps(point)).min_by_key(|point| point.replicas());
        Some(match enough {
            Some(point) => {
                format!("{what}: {} keep to it ({}).", many(point.replicas(), "replica"), point.name())
            }
            None => {
                format!("{what}: none of the valid rows keeps to it ({}).", listed(same.map(Point::name)))
            }
        })
    });
    told.collect()
}

/// Whether every row of a point keeps to every goal, by the early-stop value: with 99 % confidence.
fn keeps(point: &Point<'_, '_>) -> bool {
    point.rows.iter().all(|row| {
        row.record.objective.goals().into_iter().all(|(quantile, most_ms)| {
            let early_stop = row.estimate(quantile).and_then(|estimate| estimate.early_stop_us);
            early_stop.is_some_and(|us| us <= u64::from(most_ms) * 1000)
        })
    })
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::judge::{Row, points};
    use crate::record::tests::record;
    use records::{Histogram, Record};

    fn told(records: &[Record], say: fn(&[Point<'_, '_>]) -> Vec<Sentence>) -> Vec<Sentence> {
        let judged = alone(records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        say(&points(&rows))
    }

    #[test]
    fn an_objective_names_the_fewest_replicas_that_keep_to_it() {
        let mut records = [record(0, 1, 20, 800), record(1, 2, 20, 1600), record(2, 4, 20, 1700)];
        for (record, ms) in records.iter_mut().zip([600, 400, 300]) {
            record.objective.p95_ms = Some(500);
            let counts = &mut record.window.as_mut().unwrap().endpoints[0];
            counts.histogram = Histogram::of_ms([(ms, counts.requests)]);
        }
        assert_eq!(
            told(&records, objective),
            ["20 users on 2 workers: 2 replicas keep to it (2 replicas, 2 workers, 20 users)."]
        );
        assert!(told(&records[..1], objective)[0].contains("none of the valid rows keeps to it (1 replica"));
    }

    #[test]
    fn a_rate_is_not_compared_with_users() {
        let mut open = record(1, 2, 20, 1600);
        (open.scenario.mode, open.scenario.rate) = (records::Mode::Open, Some(20.0));
        let records = [record(0, 1, 20, 800), open];
        assert!(told(&records, performance).is_empty());
        let findings = told(&records, key_findings);
        assert!(findings[0].contains("40.0 requests/s with 1 replica"), "{findings:?}");
        assert!(
            findings.contains(
                &"Open model: Best throughput: 80.0 requests/s with 2 replicas, 2 workers, 20 requests/s (open)."
                    .to_owned()
            ),
            "{findings:?}"
        );
    }
}
