//! One value of a table.

use std::fmt;

use jiff::Timestamp;
use records::{ms, three_digits};

use crate::judge::{Certainty, Row};
use crate::measure::{Estimate, samples_needed};

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing was measured.
    Missing,
    /// Words or a name.
    Text(String),
    /// A number of things.
    Count(u64),
    /// A number that is shown with this many decimals.
    Number {
        /// The number.
        value: f64,
        /// How many decimals are shown.
        decimals: usize,
    },
    /// A number that is shown with all its decimals, because it was given and not measured.
    Given(f64),
    /// A time, UTC.
    Time(Timestamp),
    /// A response time, µs.
    ResponseTime(u64),
    /// A response time with its confidence interval.
    Interval {
        /// The response time, µs.
        value_us: u64,
        /// Both ends of its 95 % confidence interval, µs.
        bounds_us: (u64, u64),
    },
    /// So many requests failed that the percentile is infinite.
    Infinite,
    /// A percentile that has fewer samples than it needs.
    TooFewSamples {
        /// How many samples it needs.
        needed: u64,
    },
}

impl Cell {
    /// Words or a name.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count, if there is one.
    pub fn count(count: Option<impl Into<u64>>) -> Self {
        count.map_or(Self::Missing, |count| Self::Count(count.into()))
    }

    /// A number with this many decimals, if there is one.
    pub fn number(value: Option<f64>, decimals: usize) -> Self {
        value.map_or(Self::Missing, |value| Self::Number { value, decimals })
    }

    /// A response time in µs, if there is one.
    pub fn response_time(us: Option<u64>) -> Self {
        us.map_or(Self::Missing, Self::ResponseTime)
    }

    /// The value of a percentile; if its samples are too few, how many it needs.
    pub fn percentile(estimate: Option<&Estimate>) -> Self {
        match estimate {
            None => Self::Missing,
            Some(estimate) => match estimate.value_us.filter(|_| estimate.is_sampled()) {
                Some(us) => Self::ResponseTime(us),
                None => Self::TooFewSamples { needed: samples_needed(estimate.q) },
            },
        }
    }

    /// A percentile of a row's primary endpoint, with a failed request as infinitely slow.
    pub fn percentile_of(row: &Row<'_>, quantile: f64) -> Self {
        match row.percentile_us(quantile) {
            Some(us) if us.is_infinite() => Self::Infinite,
            Some(us) => Self::ResponseTime(to_count(us)),
            None => Self::percentile(row.estimate(quantile).as_ref()),
        }
    }

    /// A percentile with its confidence interval; without one if no method holds.
    pub fn percentile_with_interval(estimate: &Estimate, certainty: &Certainty) -> Self {
        let whole = |us: f64| three_digits(to_count(us));
        match (Self::percentile(Some(estimate)), certainty.value, certainty.bounds) {
            (too_few @ Self::TooFewSamples { .. }, ..) => too_few,
            (_, None, _) => Self::Missing,
            (_, Some(value), _) if value.is_infinite() => Self::Infinite,
            (_, Some(value), Ok(bounds)) => {
                Self::Interval { value_us: whole(value), bounds_us: (whole(bounds.low), whole(bounds.high)) }
            }
            (_, Some(value), Err(_)) => Self::ResponseTime(whole(value)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn to_count(us: f64) -> u64 {
    us.round().max(0.0) as u64
}

impl fmt::Display for Cell {
    /// The value in plain characters, which every format can show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("–"),
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Number { value, decimals } => write!(f, "{value:.decimals$}"),
            Self::Given(value) => write!(f, "{value}"),
            Self::Time(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Self::ResponseTime(us) => f.write_str(&ms(*us)),
            Self::Interval { value_us, bounds_us: (low, high) } => {
                write!(f, "{} [{}, {}]", ms(*value_us), ms(*low), ms(*high))
            }
            Self::Infinite => f.write_str("∞"),
            Self::TooFewSamples { needed } => write!(f, "n/a (n<{needed})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Bounds, NoBounds};
    use records::Histogram;

    #[test]
    fn a_percentile_shows_its_interval_or_why_it_has_none() {
        let histogram = Histogram::of_ms((101..=500).map(|ms| (ms, 1)));
        let median = Estimate::of(&histogram, 0.5);
        assert_eq!(Cell::percentile(Some(&median)).to_string(), "300");
        let certainty = |value, bounds| Certainty { value, bounds, rows: 1 };
        let shown = |estimate, certainty| Cell::percentile_with_interval(estimate, &certainty).to_string();
        let bounds = Ok(Bounds { low: 280_400.0, high: 321_000.0 });
        assert_eq!(shown(&median, certainty(Some(300_000.0), bounds)), "300 [280, 321]");
        assert_eq!(shown(&median, certainty(Some(300_000.0), Err(NoBounds::OpenModel))), "300");
        assert_eq!(shown(&median, certainty(Some(f64::INFINITY), Err(NoBounds::Failures))), "∞");
        let p99 = Estimate::of(&histogram, 0.99);
        assert_eq!(Cell::percentile(Some(&p99)), Cell::TooFewSamples { needed: 459 });
        assert_eq!(shown(&p99, certainty(Some(300_000.0), bounds)), "n/a (n<459)");
    }

    #[test]
    fn a_missing_value_is_not_zero() {
        for missing in [Cell::number(None, 2), Cell::count(None::<u64>), Cell::response_time(None)] {
            assert_eq!(missing.to_string(), "–");
        }
        assert_eq!(Cell::number(Some(0.0), 2).to_string(), "0.00");
    }
}
