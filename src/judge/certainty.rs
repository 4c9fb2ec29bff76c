//! How far the figures of a point of the matrix can be trusted.

use records::{Interval, Record};

use super::points::Point;
use super::row::Row;
use super::verdict::Verdict;
use crate::measure::{
    Bounds, NoBounds, bounds_of_goodput, bounds_of_run, bounds_over_repeats, quantile_with_failures,
    window_from,
};

/// A figure with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certainty {
    /// The figure: µs for a percentile, requests/s for a throughput; the median over repeats. `None` if it was not
    /// measured, or if so many requests failed that the percentile is infinite.
    pub value: Option<f64>,
    /// Its 95 % confidence interval, in the same unit.
    pub bounds: Result<Bounds, NoBounds>,
    /// The number of valid rows behind it. The interval of one row cannot see how connections fell.
    pub rows: usize,
}

/// The intervals between cuts that are the row's window.
fn steady_intervals(record: &Record) -> &[Interval] {
    let from = record.stopping_rule.as_ref().map_or(0, |rule| window_from(rule, &record.intervals));
    record.intervals.get(from..).unwrap_or_default()
}

/// A quantile of one row's primary endpoint, with a failed request as infinitely slow.
fn quantile_of_row(row: &Row<'_>, q: f64) -> Option<f64> {
    let counts = row.counts?;
    quantile_with_failures(&counts.succeeded, counts.failures, q).map(|us| us as f64)
}

/// A quantile of one row, with the interval of that run.
pub fn certainty_of_row(row: &Row<'_>, q: f64) -> Certainty {
    let is_steady = !matches!(
        row.judgement.verdict,
        Verdict::Failed | Verdict::Void | Verdict::Overloaded | Verdict::Unstable
    );
    let bounds = match &row.record.stopping_rule {
        _ if !is_steady => Err(NoBounds::NotSteady),
        Some(rule) if rule.exact => bounds_of_run(rule, steady_intervals(row.record), q),
        _ => Err(NoBounds::TooFewSamples),
    };
    Certainty { value: quantile_of_row(row, q), bounds, rows: 1 }
}

/// A quantile of a point: over its repeats if it has some, else of its only run.
pub fn certainty_of_point(point: &Point<'_, '_>, q: f64) -> Certainty {
    match point.rows.as_slice() {
        [only] => certainty_of_row(only, q),
        rows => over_repeats(rows.iter().map(|row| quantile_of_row(row, q)), NoBounds::Failures),
    }
}

/// The successful requests per second of a point.
pub fn goodput_of_point(point: &Point<'_, '_>) -> Certainty {
    match point.rows.as_slice() {
        [only] => Certainty {
            value: only.primary.map(|figures| figures.goodput),
            bounds: bounds_of_goodput(steady_intervals(only.record)),
            rows: 1,
        },
        rows => over_repeats(rows.iter().map(|row| Some(row.primary?.goodput)), NoBounds::TooFewSamples),
    }
}

fn over_repeats(values: impl Iterator<Item = Option<f64>>, otherwise: NoBounds) -> Certainty {
    let values: Vec<Option<f64>> = values.collect();
    let rows = values.len();
    let Some(known) = values.into_iter().collect::<Option<Vec<f64>>>() else {
        return Certainty { value: None, bounds: Err(otherwise), rows };
    };
    let bounds = bounds_over_repeats(&known).ok_or(NoBounds::TooFewSamples);
    Certainty { value: super::points::median(known), bounds, rows }
}
