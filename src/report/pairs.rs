//! The paired test of the worker axis: the same users on fewer and on more workers.
//!
//! It is what can be had without another generator: where more workers get more throughput out of the same
//! service with the same users, the fewer were the limit. It shows nothing where both are.

use super::Row;
use super::repeats::median;
use crate::events::many;
use crate::measure::{MoreWorkers, Throughput};
use crate::record::{Judgement, Record};

/// Two neighbours on the worker axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    replicas: u32,
    users: u32,
    workers: (u32, u32),
    /// Median throughput of the primary endpoint with fewer and with more workers, requests/s, and what
    /// that shows; `None` where either has no row that may be compared.
    found: Option<((f64, f64), MoreWorkers)>,
}

impl Pair {
    /// The test in a sentence.
    pub(super) fn sentence(&self) -> String {
        let Self { replicas, users, workers: (fewer, more), found } = self;
        let point = format!("{}, {}", many(*replicas, "replica"), many(*users, "user"));
        let Some((rps, found)) = found else {
            return format!(
                "{point}: {fewer} and {more} workers cannot be compared: not both have a steady row"
            );
        };
        let were = format!("{} {}", many(*fewer, "worker"), if *fewer == 1 { "was" } else { "were" });
        let meaning = match found.busiest {
            Some(busiest) if found.by_shares() => {
                let share = format!("the busiest replica alone × {busiest:.2}");
                format!("{share}: connections were drawn otherwise, which says nothing about the workers")
            }
            _ if found.limited() => format!("{were} the limit, not the service"),
            _ => format!("{were} not the limit"),
        };
        format!(
            "{point}: {fewer} → {more} workers gives {:.1} → {:.1} requests/s (× {:.2}); {meaning}",
            rps.0, rps.1, found.gain
        )
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
pub(super) fn pairs(records: &[Record]) -> Vec<Pair> {
    let mut points: Vec<(u32, u32, u32)> = records
        .iter()
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
                let same = records.iter().filter(|record| {
                    let scenario = &record.scenario;
                    scenario.rate.is_none()
                        && (scenario.replicas, scenario.users, scenario.workers) == (replicas, users, workers)
                        && is_comparable(record)
                });
                let (total, busiest): (Vec<f64>, Vec<Option<f64>>) = same.filter_map(of_replicas).unzip();
                let busiest: Option<Vec<f64>> = busiest.into_iter().collect();
                Some(Throughput { total: median(total)?, busiest: busiest.and_then(median) })
            };
            let pair = throughput(fewer).zip(throughput(more));
            let found = pair
                .and_then(|(fewer, more)| Some(((fewer.total, more.total), MoreWorkers::of(fewer, more)?)));
            Pair { replicas, users, workers: (fewer, more), found }
        })
        .collect()
}

/// Throughput of the primary endpoint over all replicas, and by the replicas' own counts of the busiest.
fn of_replicas(record: &Record) -> Option<(f64, Option<f64>)> {
    let rps = Row::of(record).primary?.rps;
    let busiest = record.busiest_over_mean().map(|share| rps * share / record.replicas.len() as f64);
    Some((rps, busiest))
}

/// Whether a row's throughput is that of a steady state; a generator's limit is what is asked for.
fn is_comparable(record: &Record) -> bool {
    let settled = || record.course.as_ref().is_some_and(|course| course.unsettled(&record.parts).is_none());
    match record.verdict.judgement {
        Judgement::Valid | Judgement::Undersampled => true,
        Judgement::LoadgenLimited => settled(),
        _ => false,
    }
}

/// Adds what the pairs have found to the verdicts of the rows with fewer workers.
pub(super) fn apply(pairs: &[Pair], records: &mut [Record]) {
    for pair in pairs.iter().filter(|pair| pair.is_limited()) {
        for record in records.iter_mut().filter(|record| pair.is_fewer(record)) {
            if is_comparable(record) {
                let reason =
                    format!("with {} workers, the same users get more: {}", pair.workers.1, pair.sentence());
                record.verdict = record.verdict.clone().and(Judgement::LoadgenLimited, reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use crate::record::{Replica, Verdict};

    fn at(index: usize, workers: u32, requests: u64) -> Record {
        let mut record = record(index, 2, 400, requests);
        record.scenario.workers = workers;
        record
    }

    #[test]
    fn more_throughput_with_more_workers_limits_the_fewer() {
        let mut records = [at(0, 4, 1000), at(1, 8, 1300), at(2, 16, 1310)];
        let found = pairs(&records);
        apply(&found, &mut records);
        let judgements = records.each_ref().map(|record| record.verdict.judgement);
        assert_eq!(judgements, [Judgement::LoadgenLimited, Judgement::Valid, Judgement::Valid]);
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
            record.replicas =
                counts.map(|count| Replica { pod: "inference".into(), requests: own(count) }).into();
            record
        };
        let mut records = [drawn(0, 1, [800, 560]), drawn(1, 2, [800, 790])];
        let found = pairs(&records);
        apply(&found, &mut records);
        assert_eq!(records[0].verdict.judgement, Judgement::Valid);
        assert_eq!(
            found[0].sentence(),
            "2 replicas, 400 users: 1 → 2 workers gives 68.0 → 79.5 requests/s (× 1.17); the busiest replica alone \
             × 1.00: connections were drawn otherwise, which says nothing about the workers"
        );
        // Both replicas get more: that is no draw.
        let found = pairs(&[drawn(0, 1, [600, 560]), drawn(1, 2, [800, 790])]);
        assert!(found[0].sentence().ends_with("1 worker was the limit, not the service"));
    }

    #[test]
    fn a_limited_row_is_compared_and_keeps_its_own_reasons() {
        let mut starved = at(0, 4, 1000);
        starved.verdict = Verdict::of(Judgement::LoadgenLimited, "worker w used 95 % of its CPU");
        let mut records = [starved, at(1, 8, 1300)];
        let found = pairs(&records);
        apply(&found, &mut records);
        assert_eq!(records[0].verdict.reasons.len(), 2, "{:?}", records[0].verdict);
    }

    #[test]
    fn what_cannot_be_compared_proves_nothing() {
        let mut unsteady = at(1, 8, 2000);
        unsteady.verdict = Verdict::of(Judgement::Unstable, "throughput rises");
        let found = pairs(&[at(0, 4, 1000), unsteady]);
        assert_eq!(
            found[0].sentence(),
            "2 replicas, 400 users: 4 and 8 workers cannot be compared: not both have a steady row"
        );
        assert!(!found[0].is_limited());
        let mut open = at(1, 8, 2000);
        open.scenario.rate = Some(50.0);
        assert!(
            pairs(&[at(0, 4, 1000), open]).is_empty(),
            "a rate is what was asked for, not what was reached"
        );
        let mut other = at(1, 8, 2000);
        other.scenario.users = 800;
        assert!(pairs(&[at(0, 4, 1000), other]).is_empty());
    }

    #[test]
    fn repeats_are_compared_by_their_medians() {
        let records =
            [at(0, 4, 1000), at(1, 4, 2000), at(2, 4, 1020), at(3, 8, 1050), at(4, 8, 900), at(5, 8, 1060)];
        assert_eq!(pairs(&records)[0].found.map(|(rps, _)| rps), Some((51.0, 52.5)));
    }
}
