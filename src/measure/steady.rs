//! Steady state: whether the last windows agree with each other (Triton's `perf_analyzer`).

use serde::{Deserialize, Serialize};

use super::{Estimate, Histogram};

/// So many windows in a row must agree.
pub const WINDOWS: usize = 3;
/// The highest may be so many times the lowest, in throughput and in P95.
const WITHIN: f64 = 1.10;
/// The range of three equal Poisson rates, in standard deviations of one of them, that chance exceeds in
/// 5 % of cases (studentized range, three groups).
const RANGE_OF_THREE: f64 = 3.31;
/// Response times are whole milliseconds.
const RESOLUTION_MS: u32 = 1;

/// The measurement between two neighbouring cuts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Length, s.
    pub seconds: f64,
    /// Finished requests of all endpoints.
    pub requests: u64,
    /// Sum of their response times, ms.
    pub total_ms: f64,
    /// Response times of the primary endpoint.
    pub primary: Histogram,
}

impl Part {
    /// Requests of the primary endpoint per second.
    pub fn rps(&self) -> f64 {
        if self.seconds > 0.0 { self.primary.count() as f64 / self.seconds } else { 0.0 }
    }

    /// Several parts as one.
    pub fn sum(parts: &[Self]) -> Self {
        parts.iter().fold(Self::default(), |mut sum, part| {
            sum.seconds += part.seconds;
            sum.requests += part.requests;
            sum.total_ms += part.total_ms;
            sum.primary.add(&part.primary);
            sum
        })
    }
}

/// The first of the parts at the end that agree with each other, at least [`WINDOWS`] of them and as many
/// as do.
///
/// # Errors
/// What does not agree, in words.
pub fn steady_from(parts: &[Part]) -> Result<usize, String> {
    let Some(mut from) = parts.len().checked_sub(WINDOWS) else {
        return Err(format!("{} of {WINDOWS} windows could be measured", parts.len()));
    };
    agree(&parts[from..])?;
    while from > 0 && agree(&parts[from - 1..]).is_ok() {
        from -= 1;
    }
    Ok(from)
}

/// Whether throughput and P95 of all parts are within 10 % of each other, or no further apart than chance
/// puts equal ones: three windows of seven requests are never within 10 %, and say nothing by that.
fn agree(parts: &[Part]) -> Result<(), String> {
    let rates: Vec<f64> = parts.iter().map(Part::rps).collect();
    let (low, high) = (fold(&rates, f64::min), fold(&rates, f64::max));
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let seconds = parts.iter().map(|part| part.seconds).fold(f64::INFINITY, f64::min);
    let by_chance = RANGE_OF_THREE * (mean / seconds).sqrt();
    if high > WITHIN * low && high - low > by_chance {
        return Err(format!(
            "throughput of the last windows goes from {low:.1} to {high:.1} requests/s ({})",
            listed(rates.iter().map(|rate| format!("{rate:.1}")))
        ));
    }
    let tails: Vec<Estimate> = parts.iter().map(|part| Estimate::of(&part.primary, 0.95)).collect();
    let values: Vec<u32> = tails.iter().filter_map(|tail| tail.value_ms).collect();
    let (Some(&low), Some(&high)) = (values.iter().min(), values.iter().max()) else {
        return Err("the last windows have no requests".into());
    };
    let share_a_point = {
        let lower = tails.iter().filter_map(|tail| tail.interval_ms.0).max().unwrap_or(0);
        let upper = tails.iter().filter_map(|tail| tail.interval_ms.1).min().unwrap_or(u32::MAX);
        lower <= upper
    };
    if f64::from(high) > WITHIN * f64::from(low) && high - low > RESOLUTION_MS && !share_a_point {
        return Err(format!(
            "P95 of the last windows goes from {low} to {high} ms ({})",
            listed(values.iter().map(u32::to_string))
        ));
    }
    Ok(())
}

fn fold(values: &[f64], by: fn(f64, f64) -> f64) -> f64 {
    values.iter().copied().reduce(by).unwrap_or(0.0)
}

fn listed(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// 10 s with `requests` of `ms` each.
    pub(crate) fn part(requests: u64, ms: u32) -> Part {
        Part {
            seconds: 10.0,
            requests,
            total_ms: requests as f64 * f64::from(ms),
            primary: Histogram(BTreeMap::from([(ms, requests)])),
        }
    }

    #[test]
    fn windows_within_a_tenth_are_steady_from_the_first_that_agrees() {
        let parts = [part(900, 400), part(1000, 100), part(1050, 105), part(1020, 104), part(1010, 103)];
        assert_eq!(steady_from(&parts), Ok(1), "the first is too slow");
        assert_eq!(steady_from(&parts[1..4]), Ok(0));
    }

    #[test]
    fn what_does_not_agree_is_told() {
        let slower = [part(4000, 100), part(4000, 110), part(4000, 121)];
        assert_eq!(
            steady_from(&slower).unwrap_err(),
            "P95 of the last windows goes from 100 to 121 ms (100, 110, 121)"
        );
        let fewer = [part(4000, 100), part(3700, 100), part(3500, 100)];
        assert!(
            steady_from(&fewer).unwrap_err().starts_with("throughput of the last windows goes from 350.0")
        );
        assert_eq!(steady_from(&fewer[..2]).unwrap_err(), "2 of 3 windows could be measured");
        assert!(steady_from(&vec![part(0, 1); 3]).unwrap_err().contains("no requests"));
    }

    #[test]
    fn chance_alone_is_not_unsteady() {
        // 20 requests in three windows: 6, 8, 6.
        assert_eq!(steady_from(&[part(6, 100), part(8, 130), part(6, 90)]), Ok(0));
        // But 2, 8, 30 is no chance.
        assert!(steady_from(&[part(2, 100), part(8, 100), part(30, 100)]).is_err());
        // Whole milliseconds: 2 or 3 is rounding.
        assert_eq!(steady_from(&[part(9000, 2), part(9000, 3), part(9000, 2)]), Ok(0));
    }

    #[test]
    fn a_service_that_warms_up_is_steady_once_it_is_warm() {
        let warming: Vec<Part> =
            [800, 500, 300, 200, 190, 200].map(|ms| part(200_000 / u64::from(ms), ms)).into();
        assert!(steady_from(&warming[..3]).is_err());
        assert!(steady_from(&warming[..5]).is_err());
        assert_eq!(steady_from(&warming), Ok(3));
    }

    proptest! {
        #[test]
        fn equal_windows_are_steady_whatever_came_before(
            before in prop::collection::vec((1_u64..5000, 1_u32..2000), 0..5), requests in 1_u64..5000, ms in 1_u32..2000,
        ) {
            let mut parts: Vec<Part> = before.iter().map(|(requests, ms)| part(*requests, *ms)).collect();
            let first = parts.len();
            parts.extend(std::iter::repeat_n(part(requests, ms), WINDOWS));
            prop_assert!(steady_from(&parts).is_ok_and(|from| from <= first));
        }

        #[test]
        fn a_fall_of_a_third_in_many_requests_never_passes(requests in 500_u64..5000, ms in 10_u32..2000) {
            let parts = [part(requests, ms), part(requests, ms), part(requests * 2 / 3, ms)];
            prop_assert!(steady_from(&parts).is_err());
        }

        #[test]
        fn a_sum_has_every_request(parts in prop::collection::vec((1_u64..500, 1_u32..200), 0..6)) {
            let parts: Vec<Part> = parts.iter().map(|(requests, ms)| part(*requests, *ms)).collect();
            let sum = Part::sum(&parts);
            prop_assert_eq!(sum.requests, parts.iter().map(|part| part.requests).sum::<u64>());
            prop_assert_eq!(sum.primary.count(), sum.requests);
        }
    }
}
