//! The paired test of the worker axis: the same users on fewer and on more workers.
//!
//! If more workers get more throughput out of the same service with the same users, the fewer workers were the
//! limit. The test shows nothing if both are at the same limit.

use records::{Record, Scenario};

use super::judged::Judged;
use super::points::median;
use super::row::Row;
use super::verdict::Verdict;
use crate::events::many;
use crate::measure::{MoreWorkers, Throughput, busiest_over_mean, unsteady_because};

/// Two neighbours on the worker axis.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerPair {
    replicas: u32,
    users: u32,
    workers: (u32, u32),
    /// Median throughput of the primary endpoint with fewer and with more workers, requests/s, and the
    /// comparison; `None` if either has no steady row.
    found: Option<((f64, f64), MoreWorkers)>,
}

impl WorkerPair {
    /// The test in a sentence.
    pub fn sentence(&self) -> String {
        let Self { replicas, users, workers: (fewer, more), found } = self;
        let point = format!("{}, {}", many(*replicas, "replica"), many(*users, "user"));
        let Some((rps, found)) = found else {
            return format!(
                "{point}: {fewer} and {more} workers cannot be compared: not both have a steady row"
            );
        };
        let were = format!("{} {}", many(*fewer, "worker"), if *fewer == 1 { "was" } else { "were" });
        let meaning = match found.busiest {
            Some(busiest) if found.by_connections() => {
                let share = format!("the busiest replica alone × {busiest:.2}");
                format!(
                    "{share}: connections spread differently over the replicas; no evidence about workers"
                )
            }
            _ if found.limited() => format!("{were} the limit, not the service"),
            _ => format!("{were} not the limit"),
        };
        format!(
            "{point}: {fewer} → {more} workers gives {:.1} → {:.1} requests/s (× {:.2}); {meaning}",
            rps.0, rps.1, found.gain
        )
    }

    /// Whether the test compares this scenario with another.
    pub fn is_about(&self, scenario: &Scenario) -> bool {
        scenario.rate.is_none()
            && (scenario.replicas, scenario.users) == (self.replicas, self.users)
            && [self.workers.0, self.workers.1].contains(&scenario.workers)
    }

    fn is_limited(&self) -> bool {
        self.found.is_some_and(|(_, found)| found.limited())
    }

    fn is_fewer(&self, record: &Record) -> bool {
        let scenario = &record.scenario;
        scenario.rate.is_none()
            && (scenario.replicas, scenario.users, scenario.workers)
                == (self.replicas, self.users, self.workers.0)
    }
}

/// Every pair of neighbours on the worker axis.
pub(super) fn worker_pairs(rows: &[Judged<'_>]) -> Vec<WorkerPair> {
    let mut points: Vec<(u32, u32, u32)> = rows
        .iter()
        .map(|row| row.record)
        .filter(|record| record.scenario.rate.is_none())
        .map(|record| (record.scenario.replicas, record.scenario.users, record.scenario.workers))
        .collect();
    points.sort_unstable();
    points.dedup();
    let neighbours = points.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
    neighbours
        .map(|pair| {
            let ((replicas, users, fewer), more) = (pair[0], pair[1].2);
            let throughput = |workers| {
                let same = rows.iter().filter(|row| {
                    let scenario = &row.record.scenario;
                    scenario.rate.is_none()
                        && (scenario.replicas, scenario.users, scenario.workers) == (replicas, users, workers)
                        && is_comparable(row)
                });
                let (total, busiest): (Vec<f64>, Vec<Option<f64>>) = same.filter_map(of_replicas).unzip();
                let busiest: Option<Vec<f64>> = busiest.into_iter().collect();
                Some(Throughput { total: median(total)?, busiest: busiest.and_then(median) })
            };
            let pair = throughput(fewer).zip(throughput(more));
            let found = pair
                .and_then(|(fewer, more)| Some(((fewer.total, more.total), MoreWorkers::of(fewer, more)?)));
            WorkerPair { replicas, users, workers: (fewer, more), found }
        })
        .collect()
}

/// Throughput of the primary endpoint over all replicas, and by the replicas' own counts of the busiest.
fn of_replicas(row: &Judged<'_>) -> Option<(f64, Option<f64>)> {
    let rps = Row::of(row).primary?.goodput;
    let replicas = &row.record.replicas;
    let busiest = busiest_over_mean(replicas).map(|ratio| rps * ratio / replicas.len() as f64);
    Some((rps, busiest))
}

/// Whether a row's throughput is that of a steady state. A row at the generator's limit counts: that limit is
/// what the test looks for.
fn is_comparable(row: &Judged<'_>) -> bool {
    let record = row.record;
    let rule = record.stopping_rule.as_ref();
    let is_steady = || rule.is_some_and(|rule| unsteady_because(rule, &record.intervals).is_none());
    match row.judgement.verdict {
        Verdict::Valid | Verdict::Undersampled => true,
        Verdict::LoadgenLimited => is_steady(),
        _ => false,
    }
}

/// Adds the findings of the pairs to the judgements of the rows with fewer workers.
pub(super) fn apply(pairs: &[WorkerPair], rows: &mut [Judged<'_>]) {
    for pair in pairs.iter().filter(|pair| pair.is_limited()) {
        for row in rows.iter_mut().filter(|row| pair.is_fewer(row.record)) {
            if is_comparable(row) {
                let reason =
                    format!("with {} workers, the same users get more: {}", pair.workers.1, pair.sentence());
                row.judgement = row.judgement.clone().and(Verdict::LoadgenLimited, reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Judgement;
    use crate::judge::tests::alone;
    use crate::record::tests::record;
    use records::Replica;

    fn at(index: usize, workers: u32, requests: u64) -> Record {
        let mut record = record(index, 2, 400, requests);
        record.scenario.workers = workers;
        record
    }

    #[test]
    fn more_throughput_with_more_workers_limits_the_fewer() {
        let records = [at(0, 4, 1000), at(1, 8, 1300), at(2, 16, 1310)];
        let mut rows = alone(&records);
        let found = worker_pairs(&rows);
        apply(&found, &mut rows);
        let verdicts: Vec<_> = rows.iter().map(|row| row.judgement.verdict).collect();
        assert_eq!(verdicts, [Verdict::LoadgenLimited, Verdict::Valid, Verdict::Valid]);
        assert_eq!(
            found[0].sentence(),
            "2 replicas, 400 users: 4 → 8 workers gives 50.0 → 65.0 requests/s (× 1.30); 4 workers were the limit, not the service"
        );
        assert!(found[1].sentence().ends_with("8 workers were not the limit"));
    }

    #[test]
    fn another_draw_of_connections_is_no_limit() {
        let drawn = |index, workers, counts: [u64; 2]| {
            let mut record = at(index, workers, counts.iter().sum());
            let own = |count| Some([("/predict 200".to_owned(), count)].into());
            record.replicas = counts
                .map(|count| Replica { pod: "inference".into(), requests: own(count), ..Replica::default() })
                .into();
            record
        };
        let records = [drawn(0, 1, [800, 560]), drawn(1, 2, [800, 790])];
        let mut rows = alone(&records);
        let found = worker_pairs(&rows);
        apply(&found, &mut rows);
        assert_eq!(rows[0].judgement.verdict, Verdict::Valid);
        assert_eq!(
            found[0].sentence(),
            "2 replicas, 400 users: 1 → 2 workers gives 68.0 → 79.5 requests/s (× 1.17); the busiest replica alone \
             × 1.00: connections spread differently over the replicas; no evidence about workers"
        );
        // Both replicas get more: that is no draw.
        let found = worker_pairs(&alone(&[drawn(0, 1, [600, 560]), drawn(1, 2, [800, 790])]));
        assert!(found[0].sentence().ends_with("1 worker was the limit, not the service"));
    }

    #[test]
    fn a_limited_row_is_compared_and_keeps_its_own_reasons() {
        let records = [at(0, 4, 1000), at(1, 8, 1300)];
        let mut rows = alone(&records);
        rows[0].judgement = Judgement::of(Verdict::LoadgenLimited, "worker w used 95 % of its CPU");
        let found = worker_pairs(&rows);
        apply(&found, &mut rows);
        assert_eq!(rows[0].judgement.reasons.len(), 2, "{:?}", rows[0].judgement);
    }

    #[test]
    fn what_cannot_be_compared_proves_nothing() {
        let records = [at(0, 4, 1000), at(1, 8, 2000)];
        let mut rows = alone(&records);
        rows[1].judgement = Judgement::of(Verdict::Unstable, "throughput rises");
        let found = worker_pairs(&rows);
        assert_eq!(
            found[0].sentence(),
            "2 replicas, 400 users: 4 and 8 workers cannot be compared: not both have a steady row"
        );
        assert!(!found[0].is_limited());
        let mut open = at(1, 8, 2000);
        open.scenario.rate = Some(50.0);
        assert!(
            worker_pairs(&alone(&[at(0, 4, 1000), open])).is_empty(),
            "a rate is what was asked for, not what was reached"
        );
        let mut other = at(1, 8, 2000);
        other.scenario.users = 800;
        assert!(worker_pairs(&alone(&[at(0, 4, 1000), other])).is_empty());
    }

    #[test]
    fn repeats_are_compared_by_their_medians() {
        let records =
            [at(0, 4, 1000), at(1, 4, 2000), at(2, 4, 1020), at(3, 8, 1050), at(4, 8, 900), at(5, 8, 1060)];
        assert_eq!(worker_pairs(&alone(&records))[0].found.map(|(rps, _)| rps), Some((51.0, 52.5)));
    }
}
