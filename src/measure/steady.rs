//! Steady state: whether the last windows agree with each other (Triton's `perf_analyzer`).

use serde::{Deserialize, Serialize};

use super::Histogram;
use super::estimate::interval;

/// So many windows in a row must agree.
pub const WINDOWS: usize = 3;
/// The highest may be so many times the lowest, in throughput and in P95.
const WITHIN: f64 = 1.10;
/// The range of three equal Poisson rates, in standard deviations of one of them, that chance exceeds in
/// 5 % of cases (studentized range, three groups).
const RANGE_OF_THREE: f64 = 3.31;
/// Response times are whole milliseconds.
const RESOLUTION_MS: u32 = 1;
/// Where there are too few independent samples to bound P95, the highest of these that they bound stands
/// for it when chance is asked for.
const SHARES: [f64; 4] = [0.95, 0.90, 0.75, 0.50];

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

    /// How many of its samples say something of their own. So many requests as are under way at a time wait
    /// for the same ones in a queue: together they are one sample. (In a closed loop without think time that
    /// leaves little to tell two P95 apart; but there the throughput says the same as the mean response.)
    fn independent(&self) -> u64 {
        let total_ms: f64 = self.primary.0.iter().map(|(ms, count)| f64::from(*ms) * *count as f64).sum();
        let under_way = (total_ms / 1000.0 / self.seconds).max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the count")]
        let independent = (self.primary.count() as f64 / under_way) as u64;
        independent.max(1)
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
    let tails: Vec<u32> = parts.iter().filter_map(|part| part.primary.percentile(0.95)).collect();
    let (Some(&low), Some(&high)) = (tails.iter().min(), tails.iter().max()) else {
        return Err("the last windows have no requests".into());
    };
    if f64::from(high) > WITHIN * f64::from(low) && high - low > RESOLUTION_MS && !may_be_chance(parts) {
        return Err(format!(
            "P95 of the last windows goes from {low} to {high} ms ({})",
            listed(tails.iter().map(u32::to_string))
        ));
    }
    Ok(())
}

/// Whether the same service may have given all of these tails: whether their 95 % intervals share a point.
fn may_be_chance(parts: &[Part]) -> bool {
    let least = parts.iter().map(Part::independent).min().unwrap_or(1);
    let intervals = SHARES.into_iter().find_map(|share| {
        parts
            .iter()
            .map(|part| {
                let (low, high) = interval(&part.primary, share, least);
                low.zip(high)
            })
            .collect::<Option<Vec<_>>>()
    });
    let Some(intervals) = intervals else { return true };
    let highest_low = intervals.iter().map(|(low, _)| *low).max();
    let lowest_high = intervals.iter().map(|(_, high)| *high).min();
    highest_low <= lowest_high
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

    /// 10 s of an open model, few requests under way: a median and a tail.
    fn tail(requests: u64, ms: u32, tail_ms: u32) -> Part {
        let slow = requests / 10;
        let mut primary = Histogram(BTreeMap::from([(ms, requests - slow)]));
        primary.add(&Histogram(BTreeMap::from([(tail_ms, slow)])));
        Part { seconds: 10.0, requests, total_ms: 0.0, primary }
    }

    #[test]
    fn a_tail_that_grows_is_no_chance_where_samples_are_independent() {
        assert!(steady_from(&[tail(3000, 5, 20), tail(3000, 5, 40), tail(3000, 5, 80)]).is_err());
        // Neither is a shift of everything, with too few samples to bound P95: their medians tell.
        assert!(steady_from(&[tail(40, 400, 400), tail(40, 200, 200), tail(40, 100, 100)]).is_err());
        assert_eq!(steady_from(&[tail(40, 100, 140), tail(40, 100, 180), tail(40, 100, 120)]), Ok(0));
    }

    #[test]
    fn what_does_not_agree_is_told() {
        let slower = [part(400, 10), part(400, 12), part(400, 15)];
        assert_eq!(
            steady_from(&slower).unwrap_err(),
            "P95 of the last windows goes from 10 to 15 ms (10, 12, 15)"
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
        assert_eq!(steady_from(&[part(6, 100), part(8, 104), part(6, 98)]), Ok(0));
        // Five that are slower may be: nothing bounds even their median.
        assert_eq!(steady_from(&[part(5, 100), part(5, 130), part(5, 90)]), Ok(0));
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
