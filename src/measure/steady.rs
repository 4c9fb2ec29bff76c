//! Steady state: whether the last windows agree with each other (Triton's `perf_analyzer`).

use records::{Interval, ms};

use super::estimate::bounds;

/// How many intervals in a row must agree.
pub const WINDOWS: usize = 3;
/// Largest acceptable ratio of the highest to the lowest, in throughput and in P95.
const WITHIN: f64 = 1.10;
/// The range of three equal Poisson rates, in standard deviations of one of them, that chance exceeds in
/// 5 % of cases (studentized range, three groups).
const RANGE_OF_THREE: f64 = 3.31;
/// If too few samples are independent to bound P95, compare the highest of these quantiles that can be bounded.
const QUANTILES: [f64; 4] = [0.95, 0.90, 0.75, 0.50];

/// How many samples of an interval are independent. Requests that are under way at the same time wait for
/// the same ones in a queue: together they are one sample. (In a closed loop without think time few are left to
/// tell two P95 apart; but there the throughput says the same as the mean response.)
fn independent_samples(interval: &Interval) -> u64 {
    let under_way = (interval.primary.total_ms() / 1000.0 / interval.seconds).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the count")]
    let independent = (interval.primary.count() as f64 / under_way) as u64;
    independent.max(1)
}

/// The first of the intervals at the end that agree with each other: at least [`WINDOWS`] of them, and as
/// many as do.
///
/// # Errors
/// What does not agree, in words.
pub fn steady_from(intervals: &[Interval]) -> Result<usize, String> {
    let Some(mut from) = intervals.len().checked_sub(WINDOWS) else {
        return Err(format!("{} of {WINDOWS} windows could be measured", intervals.len()));
    };
    agree(&intervals[from..])?;
    while from > 0 && agree(&intervals[from - 1..]).is_ok() {
        from -= 1;
    }
    Ok(from)
}

/// Whether throughput and P95 of all intervals are within 10 % of each other, or differ by no more than chance
/// would make them. (Small intervals differ by more than 10 % by chance alone.)
fn agree(intervals: &[Interval]) -> Result<(), String> {
    let rates: Vec<f64> = intervals.iter().map(Interval::rps).collect();
    let (low, high) = (fold(&rates, f64::min), fold(&rates, f64::max));
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let seconds = intervals.iter().map(|interval| interval.seconds).fold(f64::INFINITY, f64::min);
    let by_chance = RANGE_OF_THREE * (mean / seconds).sqrt();
    if high > WITHIN * low && high - low > by_chance {
        return Err(format!(
            "throughput of the last windows goes from {low:.1} to {high:.1} requests/s ({})",
            listed(rates.iter().map(|rate| format!("{rate:.1}")))
        ));
    }
    let tails: Vec<u64> = intervals.iter().filter_map(|interval| interval.primary.quantile(0.95)).collect();
    let (Some(&low), Some(&high)) = (tails.iter().min(), tails.iter().max()) else {
        return Err("the last windows have no requests".into());
    };
    if high as f64 > WITHIN * low as f64 && !may_be_chance(intervals) {
        return Err(format!(
            "P95 of the last windows goes from {} to {} ms ({})",
            ms(low),
            ms(high),
            listed(tails.iter().map(|tail| ms(*tail)))
        ));
    }
    Ok(())
}

/// Whether one service may have given all of these tails: whether their 95 % confidence intervals share a point.
fn may_be_chance(intervals: &[Interval]) -> bool {
    let least = intervals.iter().map(independent_samples).min().unwrap_or(1);
    let bounded = QUANTILES.into_iter().find_map(|quantile| {
        intervals
            .iter()
            .map(|interval| {
                let (low, high) = bounds(&interval.primary, quantile, least);
                low.zip(high)
            })
            .collect::<Option<Vec<_>>>()
    });
    let Some(bounded) = bounded else { return true };
    let highest_low = bounded.iter().map(|(low, _)| *low).max();
    let lowest_high = bounded.iter().map(|(_, high)| *high).min();
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
    use records::Histogram;

    /// 10 s with `requests` of `ms` each.
    pub(crate) fn interval(requests: u64, ms: u64) -> Interval {
        Interval {
            seconds: 10.0,
            requests,
            total_ms: requests as f64 * ms as f64,
            primary: Histogram::of_ms([(ms, requests)]),
        }
    }

    #[test]
    fn windows_within_a_tenth_are_steady_from_the_first_that_agrees() {
        let intervals = [
            interval(900, 400),
            interval(1000, 100),
            interval(1050, 105),
            interval(1020, 104),
            interval(1010, 103),
        ];
        assert_eq!(steady_from(&intervals), Ok(1), "the first is too slow");
        assert_eq!(steady_from(&intervals[1..4]), Ok(0));
    }

    /// 10 s of an open model, few requests under way: a median and a tail.
    fn tail(requests: u64, ms: u64, tail_ms: u64) -> Interval {
        let slow = requests / 10;
        let primary = Histogram::of_ms([(ms, requests - slow), (tail_ms, slow)]);
        Interval { seconds: 10.0, requests, total_ms: 0.0, primary }
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
        let slower = [interval(400, 10), interval(400, 12), interval(400, 15)];
        assert_eq!(
            steady_from(&slower).unwrap_err(),
            "P95 of the last windows goes from 10.0 to 15.0 ms (10.0, 12.0, 15.0)"
        );
        let fewer = [interval(4000, 100), interval(3700, 100), interval(3500, 100)];
        assert!(
            steady_from(&fewer).unwrap_err().starts_with("throughput of the last windows goes from 350.0")
        );
        assert_eq!(steady_from(&fewer[..2]).unwrap_err(), "2 of 3 windows could be measured");
        assert!(steady_from(&vec![interval(0, 1); 3]).unwrap_err().contains("no requests"));
    }

    #[test]
    fn chance_alone_is_not_unsteady() {
        // 20 requests in three windows: 6, 8, 6.
        assert_eq!(steady_from(&[interval(6, 100), interval(8, 104), interval(6, 98)]), Ok(0));
        // Five that are slower may be: nothing bounds even their median.
        assert_eq!(steady_from(&[interval(5, 100), interval(5, 130), interval(5, 90)]), Ok(0));
        // But 2, 8, 30 is no chance.
        assert!(steady_from(&[interval(2, 100), interval(8, 100), interval(30, 100)]).is_err());
    }

    #[test]
    fn a_rise_from_two_to_three_milliseconds_is_unsteady() {
        let rise = [interval(9000, 2), interval(9000, 3), interval(9000, 2)].map(|mut interval| {
            // One request under way: every sample is independent.
            interval.total_ms = 0.0;
            interval
        });
        assert!(steady_from(&rise).unwrap_err().contains("from 2.00 to 3.00 ms"));
    }

    #[test]
    fn a_service_that_warms_up_is_steady_once_it_is_warm() {
        let warming: Vec<Interval> =
            [800, 500, 300, 200, 190, 200].map(|ms| interval(200_000 / ms, ms)).into();
        assert!(steady_from(&warming[..3]).is_err());
        assert!(steady_from(&warming[..5]).is_err());
        assert_eq!(steady_from(&warming), Ok(3));
    }

    proptest! {
        #[test]
        fn equal_windows_are_steady_whatever_came_before(
            before in prop::collection::vec((1_u64..5000, 1_u64..2000), 0..5), requests in 1_u64..5000, ms in 1_u64..2000,
        ) {
            let mut intervals: Vec<Interval> = before.iter().map(|(requests, ms)| interval(*requests, *ms)).collect();
            let first = intervals.len();
            intervals.extend(std::iter::repeat_n(interval(requests, ms), WINDOWS));
            prop_assert!(steady_from(&intervals).is_ok_and(|from| from <= first));
        }

        #[test]
        fn a_fall_of_a_third_in_many_requests_never_passes(requests in 500_u64..5000, ms in 10_u64..2000) {
            let intervals = [interval(requests, ms), interval(requests, ms), interval(requests * 2 / 3, ms)];
            prop_assert!(steady_from(&intervals).is_err());
        }
    }
}
