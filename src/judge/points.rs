//! Repeats: the median and spread of each point of the matrix, and drift between the first scenario and the last.

use super::row::{Row, finite_us};

/// Relative change between the first scenario and its repeat at the end from which they show drift.
const DRIFT: f64 = 0.10;

/// The repeats of one point of the matrix.
#[derive(Clone, Debug)]
pub struct Point<'r, 'a> {
    /// The rows behind it, valid ones only, in the order they were measured. The first scenario's repeat at the end is
    /// among them only if no other one is valid: it shows drift.
    pub rows: Vec<&'r Row<'a>>,
    /// The rows that are not valid.
    pub others: Vec<&'r Row<'a>>,
    /// How many were recorded.
    pub recorded: usize,
    /// Median throughput of the valid rows, requests/s of the primary endpoint; 0 if there is none.
    pub rps: f64,
    /// Median of their P95, µs; rows with too few samples for a P95 are left out.
    pub p95_us: Option<u64>,
}

impl<'r, 'a> Point<'r, 'a> {
    fn of(recorded: Vec<&'r Row<'a>>) -> Self {
        let count = recorded.len();
        let is_drift = |row: &&Row<'_>| row.record.scenario.drift;
        let (mut rows, mut others): (Vec<_>, Vec<_>) =
            recorded.into_iter().partition(|row| row.is_valid() && row.primary.is_some());
        if !rows.iter().all(is_drift) {
            rows.retain(|row| !is_drift(row));
            others.retain(|row| !is_drift(row));
        }
        Self { others, recorded: count, ..Self::with(rows) }
    }

    fn with(rows: Vec<&'r Row<'a>>) -> Self {
        let rps = median(rows.iter().filter_map(|row| Some(row.primary?.goodput)).collect());
        let p95_us = median_of_percentiles(rows.iter().filter_map(|row| row.percentile_us(0.95)).collect());
        Self { recorded: rows.len(), rows, others: Vec::new(), rps: rps.unwrap_or(0.0), p95_us }
    }

    /// A point of these rows, of which only some have figures that can be used.
    pub(super) fn of_usable(rows: &'r [Row<'a>], is_usable: impl Fn(&&'r Row<'a>) -> bool) -> Self {
        let (usable, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_usable(row));
        Self { others, recorded: rows.len(), ..Self::with(usable) }
    }

    /// A point of this row alone, whatever its verdict is.
    pub(super) fn of_one(row: &'r Row<'a>) -> Self {
        Self::with(vec![row])
    }

    /// Whether a row of it is valid.
    pub fn has_valid_row(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Its first row, a valid one if there is one.
    pub fn first(&self) -> Option<&'r Row<'a>> {
        self.rows.first().or(self.others.first()).copied()
    }

    /// Its valid rows in words, for sentences.
    pub fn name(&self) -> String {
        let Some(first) = self.first() else { return String::new() };
        match self.rows.len() {
            0 | 1 => first.name(),
            repeats => format!("{} (median of {repeats} valid rows)", first.point()),
        }
    }

    /// Lowest and highest throughput and P95; no P95 if one is infinite.
    pub fn spread(&self) -> ((f64, f64), Option<(u64, u64)>) {
        let rps: Vec<f64> = self.rows.iter().filter_map(|row| Some(row.primary?.goodput)).collect();
        let tails: Vec<f64> = self.rows.iter().filter_map(|row| row.percentile_us(0.95)).collect();
        // With one of them infinite, there are no two ends.
        let tails: Vec<u64> = tails.into_iter().map(finite_us).collect::<Option<_>>().unwrap_or_default();
        let least = rps.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rps.iter().copied().fold(0.0, f64::max);
        ((least, most), tails.iter().min().copied().zip(tails.iter().max().copied()))
    }
}

/// The points that have a valid row, in the order of their first.
pub fn points<'r, 'a>(rows: &'r [Row<'a>]) -> Vec<Point<'r, 'a>> {
    all_points(rows).into_iter().filter(Point::has_valid_row).collect()
}

/// All points, in the order of their first row.
pub fn all_points<'r, 'a>(rows: &'r [Row<'a>]) -> Vec<Point<'r, 'a>> {
    let mut points: Vec<(String, Vec<&Row<'_>>)> = Vec::new();
    for row in rows {
        let id = row.record.scenario.point_id();
        match points.iter_mut().find(|(known, _)| *known == id) {
            Some((_, rows)) => rows.push(row),
            None => points.push((id, vec![row])),
        }
    }
    points.into_iter().map(|(_, recorded)| Point::of(recorded)).collect()
}

/// The first scenario and its repeat at the end; `None` if it was not repeated.
pub fn drift_ends<'r, 'a>(rows: &'r [Row<'a>]) -> Option<(&'r Row<'a>, &'r Row<'a>)> {
    let last = rows.iter().find(|row| row.record.scenario.drift)?;
    let same = |row: &&Row<'_>| row.record.scenario.point_id() == last.record.scenario.point_id();
    let first = rows.iter().filter(same).min_by_key(|row| row.record.scenario.index)?;
    Some((first, last))
}

/// The first scenario beside its repeat at the end, in a sentence; both must be valid.
pub fn drift(rows: &[Row<'_>]) -> Option<String> {
    let (first, last) = drift_ends(rows)?;
    if !(first.is_valid() && last.is_valid()) {
        return Some(format!("{}: both ends must be valid to be compared.", first.name()));
    }
    let (before, after) = (first.primary?.goodput, last.primary?.goodput);
    let change = if before > 0.0 { after / before - 1.0 } else { 0.0 };
    let in_ms = first.p95_in_ms().zip(last.p95_in_ms());
    let p95 = in_ms.map_or(String::new(), |(before, after)| format!(", P95 {before} → {after} ms"));
    let tails = first.percentile_us(0.95).zip(last.percentile_us(0.95));
    // Of two that are infinite, nothing is known: NaN is not above the limit.
    let moved = tails.is_some_and(|(before, after)| (after / before.max(1.0) - 1.0).abs() > DRIFT);
    let meaning = if moved || change.abs() > DRIFT {
        "something changed during the run: do not compare rows that are far apart in time"
    } else {
        "no drift"
    };
    Some(format!(
        "{}, first and once more at the end: {before:.1} → {after:.1} requests/s ({:+.1} %){p95}; {meaning}.",
        first.point(),
        100.0 * change
    ))
}

/// The middle value, or the mean of the middle two.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], upper) } else { upper })
}

/// The middle value, or the lower of the middle two: a percentile that was measured, µs. `None` if that is infinite.
fn median_of_percentiles(mut values_us: Vec<f64>) -> Option<u64> {
    values_us.sort_by(f64::total_cmp);
    finite_us(*values_us.get(values_us.len().checked_sub(1)? / 2)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;
    use proptest::prelude::*;
    use records::Record;

    fn repeat(index: usize, repeat: u32, requests: u64) -> Record {
        let mut record = record(index, 1, 20, requests);
        record.scenario.repeat = repeat;
        record
    }

    #[test]
    fn repeats_are_one_point_of_their_valid_rows() {
        let mut void = repeat(3, 4, 9000);
        void.disturbed = Some("a replica is gone".into());
        let records = [repeat(0, 1, 800), repeat(1, 2, 840), repeat(2, 3, 810), void];
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let points = points(&rows);
        assert_eq!((points.len(), points[0].rows.len(), points[0].recorded), (1, 3, 4));
        assert!((points[0].rps - 40.5).abs() < 1e-9, "{}", points[0].rps);
        assert_eq!(points[0].spread(), ((40.0, 42.0), Some((100_000, 100_000))));
        assert_eq!(points[0].name(), "1 replica, 2 workers, 20 users (median of 3 valid rows)");
    }

    /// 8 % of the requests failed in two of three repeats, and 10 % are allowed.
    #[test]
    fn an_infinite_percentile_is_slow_and_not_unknown() {
        let mut records = [repeat(0, 1, 800), repeat(1, 2, 800), repeat(2, 3, 800)];
        for (at, record) in records.iter_mut().enumerate() {
            record.objective.failures_pct = Some(10.0);
            if at > 0 {
                let counts = &mut record.window.as_mut().unwrap().endpoints[0];
                (counts.failures, counts.succeeded) = (64, records::Histogram::of_ms([(100, 736)]));
            }
        }
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let points = points(&rows);
        assert_eq!((points[0].rows.len(), points[0].p95_us, points[0].spread().1), (3, None, None));
        assert_eq!((rows[0].p95_in_ms().unwrap(), rows[1].p95_in_ms().unwrap()), ("100".into(), "∞".into()));
    }

    #[test]
    fn the_repeat_at_the_end_is_no_part_of_its_point() {
        let mut last = repeat(5, 2, 600);
        last.scenario.drift = true;
        let figures = |records: &[Record]| {
            let judged = alone(records);
            let rows: Vec<_> = judged.iter().map(Row::of).collect();
            let points = points(&rows);
            (points.len(), points[0].rows.len(), points[0].rps)
        };
        assert_eq!(figures(&[repeat(0, 1, 800), last.clone()]), (1, 1, 40.0));
        let mut void = repeat(0, 1, 800);
        void.disturbed = Some("a replica is gone".into());
        assert_eq!(figures(&[void, last]), (1, 1, 30.0), "no other one is valid");
    }

    #[test]
    fn drift_is_told_by_both_ends() {
        let with_last = |requests| {
            let mut last = repeat(5, 2, requests);
            last.scenario.drift = true;
            [repeat(0, 1, 800), last]
        };
        let told = |records: &[Record]| drift(&alone(records).iter().map(Row::of).collect::<Vec<_>>());
        assert_eq!(
            told(&with_last(792)).unwrap(),
            "1 replica, 2 workers, 20 users, first and once more at the end: 40.0 → 39.6 requests/s (-1.0 %), P95 100 → 100 ms; no drift."
        );
        assert!(told(&with_last(600)).unwrap().contains("something changed"));
        assert_eq!(told(&[repeat(0, 1, 800)]), None);
        for spoiled in 0..2 {
            let mut records = with_last(792);
            records[spoiled].disturbed = Some("somebody stopped the load".into());
            assert!(
                told(&records).unwrap().contains("both ends must be valid"),
                "row {spoiled} is not valid"
            );
        }
    }

    proptest! {
        #[test]
        fn half_lie_on_either_side_of_a_median(values in prop::collection::vec(-1e6_f64..1e6, 1..20)) {
            let middle = median(values.clone()).unwrap();
            let below = values.iter().filter(|value| **value < middle).count();
            let above = values.iter().filter(|value| **value > middle).count();
            prop_assert!(below * 2 <= values.len() && above * 2 <= values.len());
        }
    }
}
