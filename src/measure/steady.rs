//! Steady state: whether the last intervals agree with each other (as in Triton's `perf_analyzer`).

use records::{Interval, StoppingRule, ms};

use super::order_statistics::bounds;
use super::student::range_975;
use super::wave::is_wave;

/// Largest acceptable ratio of the highest to the lowest, in throughput and in P95.
const WITHIN: f64 = 1.10;
/// If too few samples are independent to bound P95, compare the highest of these quantiles that can be bounded.
const TAILS: [f64; 4] = [0.95, 0.90, 0.75, 0.50];
/// The quantiles that stand for the answers that did not wait; the first that can be bounded is compared.
const FASTEST: [f64; 3] = [0.05, 0.10, 0.25];
/// Student's t at 97.5 % with three degrees of freedom: the first of five intervals is compared with the other four.
const FIRST_DEVIATIONS: f64 = 3.182;
/// The width of a 95 % interval, in standard deviations.
const WIDTH_OF_95: f64 = 2.0 * 1.96;

/// The first of the intervals at the end that agree with each other: at least [`StoppingRule::agreeing`] of them, and as
/// many as do.
///
/// # Errors
/// What does not agree, in words.
pub fn steady_from(rule: &StoppingRule, intervals: &[Interval]) -> Result<usize, String> {
    let Some(mut from) = intervals.len().checked_sub(rule.agreeing) else {
        return Err(format!("{} of {} intervals could be measured", intervals.len(), rule.agreeing));
    };
    agree(rule, &intervals[from..])?;
    while from > 0 && agree(rule, &intervals[from - 1..]).is_ok() {
        from -= 1;
    }
    Ok(from)
}

/// Whether throughput and P95 of all intervals are within 10 % of each other, or differ by no more than chance
/// would make them. Each is tested at 2.5 %, so that steady intervals are rejected in 5 % of cases at most.
fn agree(rule: &StoppingRule, intervals: &[Interval]) -> Result<(), String> {
    throughput_agrees(intervals)?;
    latency_agrees(rule, intervals)?;
    first_agrees(intervals)
}

/// Whether the first interval is like the others, not the end of a warm-up. The tests above allow as much chance as
/// few answers may have. The spread of the other intervals tells how much chance there is. The first interval has to
/// be slower in throughput and in P95, so that chance alone is rarely called a warm-up.
fn first_agrees(intervals: &[Interval]) -> Result<(), String> {
    let Some((first, others)) = intervals.split_first() else { return Ok(()) };
    let stands_out = |value: fn(&Interval) -> f64| {
        let logs: Vec<f64> = others.iter().map(|interval| value(interval).max(1e-9).ln()).collect();
        let count = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / count;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let by_chance = FIRST_DEVIATIONS * (variance * (1.0 + 1.0 / count)).sqrt();
        value(first).max(1e-9).ln() < mean - by_chance.max(WITHIN.ln())
    };
    let speed: fn(&Interval) -> f64 =
        |interval| 1e6 / interval.primary.quantile(0.95).unwrap_or(1).max(1) as f64;
    if others.len() > 1 && stands_out(Interval::goodput) && stands_out(speed) {
        return Err("the first of the last intervals is slower than the others: a warm-up".into());
    }
    Ok(())
}

fn throughput_agrees(intervals: &[Interval]) -> Result<(), String> {
    let rates: Vec<f64> = intervals.iter().map(Interval::goodput).collect();
    let (low, high) = (fold(&rates, f64::min), fold(&rates, f64::max));
    let mean = rates.iter().sum::<f64>() / rates.len() as f64;
    let seconds = intervals.iter().map(|interval| interval.seconds).fold(f64::INFINITY, f64::min);
    // Counts vary like those of a Poisson process, or less.
    let by_chance = range_975(rates.len()) * (mean / seconds).sqrt();
    if high > WITHIN * low && high - low > by_chance {
        return Err(format!(
            "throughput of the last intervals goes from {low:.1} to {high:.1} requests/s ({})",
            listed(rates.iter().map(|rate| format!("{rate:.1}")))
        ));
    }
    Ok(())
}

fn latency_agrees(rule: &StoppingRule, intervals: &[Interval]) -> Result<(), String> {
    let tails: Vec<u64> = intervals.iter().filter_map(|interval| interval.primary.quantile(0.95)).collect();
    let (Some(&low), Some(&high)) = (tails.iter().min(), tails.iter().max()) else {
        return Err("the last intervals have no requests".into());
    };
    let is_rounding = high - low <= rule.resolution_us;
    if high as f64 <= WITHIN * low as f64
        || is_rounding
        || is_within_chance(intervals, &TAILS).unwrap_or(true)
    {
        // In a closed loop throughput × response time is the number of users: throughput has told already.
        return Ok(());
    }
    // In the open model a queue near capacity makes slow waves that no window can tell from a change of the
    // service. The fastest answers did not wait: if they agree, the service did not change. If all waited in some
    // interval, the requests under way must have changed as chance changes them.
    if rule.users.is_none() && (is_within_chance(intervals, &FASTEST).unwrap_or(true) || is_wave(intervals)) {
        return Ok(());
    }
    Err(format!(
        "P95 of the last intervals goes from {} to {} ms ({})",
        ms(low),
        ms(high),
        listed(tails.iter().map(|tail| ms(*tail)))
    ))
}

/// Whether one service may have given all of these intervals: whether the range of a quantile is within 10 %, or
/// on the logarithm within that of chance. Takes the first of the quantiles that can be bounded; `None` if there
/// is none.
fn is_within_chance(intervals: &[Interval], quantiles: &[f64]) -> Option<bool> {
    let independent = intervals.iter().map(independent_samples).min()?;
    let bounded = quantiles.iter().find_map(|q| {
        let one = |interval: &Interval| {
            let (low, high) = bounds(&interval.primary, *q, independent);
            let width = (high?.max(1) as f64 / low?.max(1) as f64).ln();
            Some(((interval.primary.quantile(*q)?.max(1) as f64).ln(), width / WIDTH_OF_95))
        };
        intervals.iter().map(one).collect::<Option<Vec<(f64, f64)>>>()
    })?;
    let logs: Vec<f64> = bounded.iter().map(|(log, _)| *log).collect();
    let variance = bounded.iter().map(|(_, deviation)| deviation.powi(2)).sum::<f64>() / bounded.len() as f64;
    let range = fold(&logs, f64::max) - fold(&logs, f64::min);
    Some(range <= WITHIN.ln() || range <= range_975(logs.len()) * variance.sqrt())
}

/// How many samples of an interval are independent. Requests that are under way at the same time wait for
/// the same ones in a queue: together they are one sample.
fn independent_samples(interval: &Interval) -> u64 {
    let under_way = (interval.primary.total_ms() / 1000.0 / interval.seconds).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the count")]
    let independent = (interval.primary.count() as f64 / under_way) as u64;
    independent.max(1)
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

    /// A closed loop of ten users who do not think; five intervals must agree.
    pub(crate) fn closed() -> StoppingRule {
        StoppingRule {
            users: Some(10),
            think_s: 0.0,
            duration_s: 50.0,
            stop_early_after_s: None,
            most_s: 100.0,
            exact: true,
            agreeing: 5,
            resolution_us: 1,
            quantiles: vec![0.95],
        }
    }

    fn open() -> StoppingRule {
        StoppingRule { users: None, ..closed() }
    }

    /// 10 s with `requests` of `ms` each.
    pub(crate) fn interval(requests: u64, ms: u64) -> Interval {
        Interval {
            seconds: 10.0,
            requests,
            total_ms: requests as f64 * ms as f64,
            primary: Histogram::of_ms([(ms, requests)]),
            ..Interval::default()
        }
    }

    /// 10 s of an open model: a tenth of the requests is slower than the others.
    fn tail(requests: u64, ms: u64, tail_ms: u64) -> Interval {
        let slow = requests / 10;
        Interval {
            primary: Histogram::of_ms([(ms, requests - slow), (tail_ms, slow)]),
            ..interval(requests, ms)
        }
    }

    #[test]
    fn intervals_within_a_tenth_are_steady_from_the_first_that_agrees() {
        let first = interval(900, 400);
        let rest = [1000, 1050, 1020, 1010, 1030].map(|requests| interval(requests, 100_000 / requests));
        let intervals = [&[first], &rest[..]].concat();
        assert_eq!(steady_from(&closed(), &intervals), Ok(1), "the first is too slow");
        assert_eq!(steady_from(&closed(), &rest), Ok(0));
    }

    #[test]
    fn a_disagreement_is_described_with_all_values() {
        let slower = [10, 10, 12, 12, 15].map(|ms| interval(4000, ms));
        assert_eq!(
            steady_from(&open(), &slower).unwrap_err(),
            "P95 of the last intervals goes from 10.0 to 15.0 ms (10.0, 10.0, 12.0, 12.0, 15.0)"
        );
        let fewer = [4000, 4000, 3700, 3700, 3500].map(|requests| interval(requests, 100));
        let why = steady_from(&closed(), &fewer).unwrap_err();
        assert!(why.starts_with("throughput of the last intervals goes from 350.0 to 400.0"), "{why}");
        assert_eq!(steady_from(&closed(), &fewer[..2]).unwrap_err(), "2 of 5 intervals could be measured");
        assert!(steady_from(&closed(), &vec![interval(0, 1); 5]).unwrap_err().contains("no requests"));
    }

    #[test]
    fn chance_alone_is_not_unsteady() {
        // 35 requests in five intervals.
        let few = [6, 8, 6, 9, 6].map(|requests| interval(requests, 100));
        assert_eq!(steady_from(&closed(), &few), Ok(0));
        let uneven = [2, 8, 30, 8, 2].map(|requests| interval(requests, 100));
        assert!(steady_from(&closed(), &uneven).is_err(), "2, 8 and 30 are not chance");
    }

    #[test]
    fn a_queue_that_makes_waves_is_not_a_change_of_the_service() {
        // The tail goes up and down; the fastest answers are the same.
        let waves = [200, 500, 900, 400, 200].map(|tail_ms| tail(2000, 100, tail_ms));
        assert_eq!(steady_from(&open(), &waves), Ok(0));
        // All answers become slower: that is the service. (Few are under way, so that each counts.)
        let slower = [10, 10, 12, 15, 15].map(|ms| tail(2000, ms, 5 * ms));
        assert!(steady_from(&open(), &slower).unwrap_err().starts_with("P95 of the last intervals"));
    }

    #[test]
    fn a_rise_from_two_to_three_milliseconds_is_unsteady() {
        let rise = [2, 2, 3, 3, 3].map(|ms| interval(9000, ms));
        assert!(steady_from(&open(), &rise).unwrap_err().contains("from 2.00 to 3.00 ms"));
        let whole_ms = StoppingRule { resolution_us: 1000, ..open() };
        assert_eq!(steady_from(&whole_ms, &rise), Ok(0), "whole ms may be 2 or 3 by rounding");
    }

    #[test]
    fn a_service_that_warms_up_is_steady_once_it_is_warm() {
        let warming: Vec<Interval> =
            [800, 500, 300, 200, 190, 200, 195, 200].map(|ms| interval(200_000 / ms, ms)).into();
        assert!(steady_from(&closed(), &warming[..5]).is_err());
        assert!(steady_from(&closed(), &warming[..7]).is_err());
        assert_eq!(steady_from(&closed(), &warming), Ok(3));
    }

    proptest! {
        #[test]
        fn equal_intervals_are_steady_whatever_came_before(
            before in prop::collection::vec((1_u64..5000, 1_u64..2000), 0..5), requests in 1_u64..5000, ms in 1_u64..2000,
        ) {
            let mut intervals: Vec<Interval> = before.iter().map(|(requests, ms)| interval(*requests, *ms)).collect();
            let first = intervals.len();
            intervals.extend(std::iter::repeat_n(interval(requests, ms), 5));
            prop_assert!(steady_from(&closed(), &intervals).is_ok_and(|from| from <= first));
        }

        #[test]
        fn a_fall_of_a_third_in_many_requests_is_never_steady(requests in 500_u64..5000, ms in 10_u64..2000) {
            let fewer = interval(requests * 2 / 3, ms);
            let intervals = [vec![interval(requests, ms); 3], vec![fewer; 2]].concat();
            prop_assert!(steady_from(&closed(), &intervals).is_err());
        }
    }
}
