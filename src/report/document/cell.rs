//! One value of a table.

use std::fmt;

use jiff::Timestamp;
use records::ms;

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
    /// A percentile of response times with its uncertainty.
    Percentile {
        /// The percentile, µs.
        value_us: u64,
        /// Both ends of its 95 % confidence interval, µs; `None` if the samples do not bound that side.
        interval_us: (Option<u64>, Option<u64>),
        /// The percentile is not above this value, µs, with 99 % confidence.
        at_most_us: Option<u64>,
    },
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

    /// The same with the uncertainty of the percentile.
    pub fn percentile_with_interval(estimate: &Estimate) -> Self {
        match Self::percentile(Some(estimate)) {
            Self::ResponseTime(value_us) => Self::Percentile {
                value_us,
                interval_us: estimate.bounds_us,
                at_most_us: estimate.early_stop_us,
            },
            too_few => too_few,
        }
    }
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
            Self::Percentile { value_us, interval_us: (low, high), at_most_us } => {
                let side = |side: Option<u64>| side.map_or("?".to_owned(), ms);
                write!(f, "{} [{}, {}]", ms(*value_us), side(*low), side(*high))?;
                at_most_us.map_or(Ok(()), |us| write!(f, " ≤ {}", ms(us)))
            }
            Self::TooFewSamples { needed } => write!(f, "n/a (n<{needed})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use records::Histogram;

    #[test]
    fn a_percentile_shows_its_interval_or_how_many_samples_it_needs() {
        let histogram = Histogram::of_ms((101..=500).map(|ms| (ms, 1)));
        let median = Estimate::of(&histogram, 0.5);
        assert_eq!(Cell::percentile(Some(&median)).to_string(), "300");
        assert_eq!(Cell::percentile_with_interval(&median).to_string(), "300 [280, 321] ≤ 324");
        let p99 = Estimate::of(&histogram, 0.99);
        assert_eq!(Cell::percentile(Some(&p99)), Cell::TooFewSamples { needed: 459 });
        assert_eq!(Cell::percentile_with_interval(&p99).to_string(), "n/a (n<459)");
        let unbounded =
            Cell::Percentile { value_us: 1400, interval_us: (Some(1200), None), at_most_us: None };
        assert_eq!(unbounded.to_string(), "1.40 [1.20, ?]");
    }

    #[test]
    fn a_missing_value_is_not_zero() {
        for missing in [Cell::number(None, 2), Cell::count(None::<u64>), Cell::response_time(None)] {
            assert_eq!(missing.to_string(), "–");
        }
        assert_eq!(Cell::number(Some(0.0), 2).to_string(), "0.00");
    }
}
