//! How far the figures of a point of the matrix can be trusted.

use records::{Interval, Record, StoppingRule};

use super::points::{Point, median};
use super::row::Row;
use super::verdict::Verdict;
use crate::measure::{
    Bounds, Figures, KeepsUp, NoBounds, Sections, bounds_of_goodput, percentile_over_repeats,
    quantile_of_endpoint, rate_over_repeats, samples_needed, tells_failures_apart, unsteady_because,
    window_from,
};

/// A figure with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certainty {
    /// The figure: µs for a percentile, requests/s for a throughput; the median over repeats. A percentile is
    /// infinite if so many requests failed. `None` if it was not measured.
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

/// A quantile of one row, with the interval of that run.
pub fn certainty_of_row(row: &Row<'_>, q: f64) -> Certainty {
    let bounds = match &row.record.stopping_rule {
        Some(rule) => {
            let sections = || rule_allows(row, rule).map(|()| Sections::of(steady_intervals(row.record)));
            row.sections
                .get_or_init(sections)
                .as_ref()
                .map_err(|why| *why)
                .and_then(|own| own.bounds(rule, q))
        }
        None => Err(NoBounds::NotSteady),
    };
    Certainty { value: row.counts.and_then(|counts| quantile_of_endpoint(counts, q)), bounds, rows: 1 }
}

/// Whether an interval of this run means anything.
fn rule_allows(row: &Row<'_>, rule: &StoppingRule) -> Result<(), NoBounds> {
    let record = row.record;
    if !rule.exact {
        return Err(NoBounds::Inexact);
    }
    let is_disturbed = matches!(row.judgement.verdict, Verdict::Failed | Verdict::Void);
    let is_overloaded = KeepsUp::of(rule, &record.intervals).is_some_and(|keeps_up| keeps_up.is_overloaded());
    if is_disturbed || is_overloaded || unsteady_because(rule, &record.intervals).is_some() {
        return Err(NoBounds::NotSteady);
    }
    // Older records do not tell in which interval a request failed.
    let has_failures = row.counts.is_some_and(|counts| counts.failures > 0);
    if has_failures && record.intervals.iter().any(|interval| interval.succeeded.is_none()) {
        return Err(NoBounds::Failures);
    }
    if row.counts.is_none_or(tells_failures_apart) { Ok(()) } else { Err(NoBounds::Failures) }
}

/// A quantile of a point: over its repeats if it has some, else of its only run.
pub fn certainty_of_point(point: &Point<'_, '_>, q: f64) -> Certainty {
    match point.rows.as_slice() {
        [only] => certainty_of_row(only, q),
        rows => {
            over_repeats(rows.iter().map(|row| quantile_of_endpoint(row.counts?, q)), percentile_over_repeats)
        }
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
        rows => over_repeats(rows.iter().map(|row| Some(row.primary?.goodput)), rate_over_repeats),
    }
}

/// A quantile of an endpoint that is not the primary one: only repeats give an interval.
pub(super) fn certainty_of_endpoint(point: &Point<'_, '_>, name: &str, q: f64) -> Certainty {
    let value = |row: &&Row<'_>| quantile_of_endpoint(row.endpoint(name)?, q);
    // The highest of a few samples is no percentile, however often it is measured.
    let has_samples = |row: &&Row<'_>| row.endpoint(name).is_none_or(|own| own.requests >= samples_needed(q));
    let certainty = of_endpoint(point.rows.iter().map(value), percentile_over_repeats);
    let few = point.rows.iter().any(|row| !has_samples(row));
    if few { Certainty { bounds: Err(NoBounds::TooFewSamples), ..certainty } } else { certainty }
}

/// The successful requests per second of an endpoint that is not the primary one.
pub(super) fn goodput_of_endpoint(point: &Point<'_, '_>, name: &str) -> Certainty {
    let value = |row: &&Row<'_>| Some(Figures::of(row.endpoint(name)?, row.seconds?).goodput);
    of_endpoint(point.rows.iter().map(value), rate_over_repeats)
}

fn of_endpoint(
    values: impl Iterator<Item = Option<f64>>,
    bounds: fn(&[f64]) -> Result<Bounds, NoBounds>,
) -> Certainty {
    let found = over_repeats(values, bounds);
    if found.rows == 1 { Certainty { bounds: Err(NoBounds::OtherEndpoint), ..found } } else { found }
}

fn over_repeats(
    values: impl Iterator<Item = Option<f64>>,
    bounds: fn(&[f64]) -> Result<Bounds, NoBounds>,
) -> Certainty {
    let values: Vec<f64> = values.flatten().collect();
    let (rows, bounds) = (values.len(), bounds(&values));
    Certainty { value: median(values), bounds, rows }
}
