//! The measurement in intervals, from one exact cut through all workers to the next.

use serde::{Deserialize, Serialize};

use crate::Histogram;

/// What happened between two neighbouring cuts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Length, s.
    pub seconds: f64,
    /// Finished requests of all endpoints.
    pub requests: u64,
    /// Sum of their response times, ms.
    pub total_ms: f64,
    /// The time that all users have spent in their wait times, s; `None` if the load generator does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_s: Option<f64>,
    /// Response times of all requests to the primary endpoint.
    pub primary: Histogram,
    /// Response times of the successful requests to the primary endpoint; `None` in records that do not tell
    /// them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<Histogram>,
    /// In the open model, the arrivals; `None` in the closed model, and if the generator does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
}

/// The arrivals of the open model in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals {
    /// Arrivals that were due.
    pub due: u64,
    /// Arrivals whose task ended.
    pub finished: u64,
}

impl Interval {
    /// Response times of the successful requests to the primary endpoint.
    pub fn successes(&self) -> &Histogram {
        self.succeeded.as_ref().unwrap_or(&self.primary)
    }

    /// Successful requests of the primary endpoint per second.
    pub fn goodput(&self) -> f64 {
        if self.seconds > 0.0 { self.successes().count() as f64 / self.seconds } else { 0.0 }
    }

    /// Failed requests to the primary endpoint.
    pub fn failed(&self) -> u64 {
        self.primary.count().saturating_sub(self.successes().count())
    }

    /// Several neighbouring intervals as one.
    pub fn sum(intervals: &[Self]) -> Self {
        let Some((first, others)) = intervals.split_first() else { return Self::default() };
        others.iter().fold(first.clone(), |mut sum, interval| {
            sum.seconds += interval.seconds;
            sum.requests += interval.requests;
            sum.total_ms += interval.total_ms;
            if let Some(waited) = interval.waited_s {
                *sum.waited_s.get_or_insert_default() += waited;
            }
            sum.primary.add(&interval.primary);
            if let Some(succeeded) = &interval.succeeded {
                sum.succeeded.get_or_insert_default().add(succeeded);
            }
            if let Some(arrivals) = interval.arrivals {
                let total = sum.arrivals.get_or_insert_default();
                total.due += arrivals.due;
                total.finished += arrivals.finished;
            }
            sum
        })
    }
}

/// What decides how long a scenario is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoppingRule {
    /// Users of a closed loop; `None` in the open model, where Little's law says nothing.
    pub users: Option<u32>,
    /// Mean think time of a user after each answer, s.
    pub think_s: f64,
    /// The window asked for, s.
    pub duration_s: f64,
    /// The earliest end of a measurement that may end early, s; `None` if it may not.
    pub stop_early_after_s: Option<f64>,
    /// The longest measurement, s.
    pub most_s: f64,
    /// Whether the cuts are exact. If false, the measurement is one interval without a steadiness verdict,
    /// because its ends are too far off.
    pub exact: bool,
    /// How many neighbouring intervals must agree before the measurement is steady.
    #[serde(default = "three")]
    pub agreeing: usize,
    /// The resolution of the response times beyond their three digits, µs: 1, or 1000 if they are whole ms.
    #[serde(default = "one_ms")]
    pub resolution_us: u64,
    /// The quantiles (0 to 1) that must be known well enough before it may end early.
    #[serde(alias = "shares")]
    pub quantiles: Vec<f64>,
}

/// Version 2 had no such field, and whole ms.
const fn one_ms() -> u64 {
    1000
}

/// Version 2 had no such field, and measured in three intervals.
const fn three() -> usize {
    3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sum_has_every_request(parts in prop::collection::vec((1_u64..500, 1_u64..200), 0..6)) {
            let intervals: Vec<Interval> = parts
                .iter()
                .map(|(requests, ms)| Interval {
                    seconds: 10.0,
                    requests: *requests,
                    total_ms: (requests * ms) as f64,
                    primary: Histogram::of_ms([(*ms, *requests)]),
                    ..Interval::default()
                })
                .collect();
            let sum = Interval::sum(&intervals);
            prop_assert_eq!(sum.requests, intervals.iter().map(|interval| interval.requests).sum::<u64>());
            prop_assert_eq!(sum.primary.count(), sum.requests);
        }
    }
}
