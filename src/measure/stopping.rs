//! How long to measure: after each interval, whether to measure another one.

use records::{Interval, StoppingRule};

use super::confidence::relative_width;
use super::estimate::{percentile_name, samples_needed};
use super::little::{Little, little};
use super::overload::KeepsUp;
use super::steady::steady_from;
use super::window::{interval_s, is_longest, window_from};

/// A measurement may end early once the confidence interval is narrower than this share of its percentile.
const NARROW: f64 = 0.10;

/// What to do after an interval.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Measure another interval.
    Measure,
    /// Measure another interval, although the time asked for is over, for this reason.
    Extend(String),
    /// The measurement is over.
    Close,
}

/// Whether to measure on after these intervals.
pub fn next(rule: &StoppingRule, intervals: &[Interval]) -> Next {
    if !rule.exact {
        return if intervals.is_empty() { Next::Measure } else { Next::Close };
    }
    // Half an interval: they are never exactly as long as asked for.
    let slack = interval_s(rule) / 2.0;
    let measured: f64 = intervals.iter().map(|interval| interval.seconds).sum();
    let over = measured + slack >= rule.duration_s;
    let least = rule.stop_early_after_s.unwrap_or(rule.duration_s);
    if measured + slack < least.min(rule.duration_s) {
        return Next::Measure;
    }
    if is_longest(rule, intervals) {
        return Next::Close;
    }
    let undecided = KeepsUp::of(rule, intervals).and_then(|keeps_up| keeps_up.doubt());
    let why = unsteady_because(rule, intervals).or(undecided).or_else(|| too_few_samples(rule, intervals));
    match (why, over) {
        (Some(why), true) => Next::Extend(why),
        (None, true) => Next::Close,
        (None, false) if is_known(rule, intervals, least - slack) => Next::Close,
        (_, false) => Next::Measure,
    }
}

/// That a percentile of the objective (P95 without one) has too few samples, if the longest measurement would have enough.
fn too_few_samples(rule: &StoppingRule, intervals: &[Interval]) -> Option<String> {
    let window = &intervals[window_from(rule, intervals)..];
    let samples = window.iter().map(|interval| interval.primary.count()).sum::<u64>();
    let seconds = window.iter().map(|interval| interval.seconds).sum::<f64>();
    let most = samples as f64 * rule.most_s / seconds;
    let q = rule.quantiles.iter().copied().reduce(f64::max)?;
    let needed = samples_needed(q);
    (samples < needed && most >= needed as f64)
        .then(|| format!("{samples} of the {needed} samples that {} needs", percentile_name(q)))
}

/// What keeps intervals from being called steady.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsteady {
    /// Throughput or P95 of the last intervals differ.
    Changing,
    /// The window is too short for answers that take this long.
    TooShort,
    /// No request finished.
    NoRequests,
    /// The users spend time that neither a response nor a wait accounts for.
    Unaccounted,
}

/// Why the intervals cannot be called steady; `None` if they can.
pub fn unsteady_because(rule: &StoppingRule, intervals: &[Interval]) -> Option<String> {
    unsteady(rule, intervals).map(|(_, why)| why)
}

/// What keeps the intervals from being called steady, and the same in words; `None` if they can.
pub fn unsteady(rule: &StoppingRule, intervals: &[Interval]) -> Option<(Unsteady, String)> {
    match steady_from(rule, intervals) {
        _ if !rule.exact => None,
        // In a window that is too short, throughput changes because a few answers come or do not come.
        Err(why) => match unaccounted(rule, &intervals[window_from(rule, intervals)..]) {
            Some(short @ (Unsteady::TooShort, _)) => Some(short),
            _ => Some((Unsteady::Changing, why)),
        },
        Ok(from) => unaccounted(rule, &intervals[from..]),
    }
}

/// How a closed window contradicts Little's law; `None` if it does not.
fn unaccounted(rule: &StoppingRule, window: &[Interval]) -> Option<(Unsteady, String)> {
    let users = rule.users?;
    let seconds = window.iter().map(|interval| interval.seconds).sum();
    let requests = window.iter().map(|interval| interval.requests).sum();
    let total_ms = window.iter().map(|interval| interval.total_ms).sum();
    let waited_s = window.iter().filter_map(|interval| interval.waited_s).reduce(|sum, waited| sum + waited);
    match little(users, rule.think_s, waited_s, requests, total_ms, seconds) {
        Little::Holds => None,
        Little::Missed { accounted } => {
            let hint = match waited_s {
                Some(_) => " (the others are in the test script, between a response and the next request)",
                None if rule.think_s > 0.0 => "",
                None => " (think_time is 0s: does the locustfile wait?)",
            };
            let why = format!(
                "Little's law: throughput × (response + think time) accounts for {accounted:.1} of {users} users{hint}"
            );
            Some((Unsteady::Unaccounted, why))
        }
        Little::TooShort { needed_s } if needed_s.is_finite() => {
            let why =
                format!("window too short: {seconds:.0} s are less than ten mean responses, {needed_s:.0} s");
            Some((Unsteady::TooShort, why))
        }
        Little::TooShort { .. } => Some((Unsteady::NoRequests, "no request finished".into())),
    }
}

/// Whether the percentiles of the steady state are known well enough, over at least `least_s`.
fn is_known(rule: &StoppingRule, intervals: &[Interval], least_s: f64) -> bool {
    let Ok(from) = steady_from(rule, intervals) else { return false };
    let steady = &intervals[from..];
    steady.iter().map(|interval| interval.seconds).sum::<f64>() >= least_s
        && rule.quantiles.iter().all(|q| relative_width(steady, *q).is_some_and(|width| width <= NARROW))
}

#[cfg(test)]
mod tests {
    use super::super::steady::tests::{closed, interval};
    use super::*;
    use proptest::prelude::*;
    use records::{Arrivals, Histogram};

    /// 200 s in intervals of 10 s, which may end after 50 s.
    fn early() -> StoppingRule {
        StoppingRule { duration_s: 200.0, stop_early_after_s: Some(50.0), most_s: 400.0, ..closed() }
    }

    #[test]
    fn five_steady_intervals_are_the_measurement() {
        let steady = vec![interval(1000, 100); 5];
        assert!((interval_s(&closed()) - 10.0).abs() < 1e-9 && (interval_s(&early()) - 10.0).abs() < 1e-9);
        assert_eq!(next(&closed(), &steady[..4]), Next::Measure);
        assert_eq!(next(&closed(), &steady), Next::Close);
        assert_eq!(window_from(&closed(), &steady), 0);
    }

    #[test]
    fn an_unsteady_measurement_is_extended_up_to_its_cap() {
        let warming: Vec<_> = [400, 200, 100, 100, 100].map(|ms| interval(100_000 / ms, ms)).into();
        assert!(matches!(next(&closed(), &warming), Next::Extend(why) if why.contains("throughput")));
        let warm = [&warming[..], &[interval(1000, 100), interval(1000, 100)]].concat();
        assert_eq!(next(&closed(), &warm), Next::Close, "measuring longer cures it");
        assert_eq!(window_from(&closed(), &warm), 2, "the warm-up is left out");
        let never: Vec<_> =
            (0..10).map(|at| [100, 400][at % 2]).map(|ms| interval(100_000 / ms, ms)).collect();
        assert!(matches!(next(&closed(), &never[..9]), Next::Extend(_)));
        assert_eq!(next(&closed(), &never), Next::Close);
        assert_eq!(window_from(&closed(), &never), 5, "the last 50 s");
    }

    #[test]
    fn slow_answers_make_the_window_longer() {
        // 60 users at 6 s: ten mean responses are 60 s.
        let slow = StoppingRule { users: Some(60), ..closed() };
        let why = next(&slow, &vec![interval(100, 6000); 5]);
        assert!(matches!(why, Next::Extend(why) if why.contains("too short")));
        assert_eq!(next(&slow, &vec![interval(100, 6000); 6]), Next::Close);
    }

    #[test]
    fn users_that_littles_law_does_not_account_for_are_reported() {
        let stalled = StoppingRule { users: Some(12), ..closed() };
        let why = unsteady_because(&stalled, &vec![interval(1000, 100); 5]).unwrap();
        assert!(why.contains("accounts for 10.0 of 12 users"), "{why}");
        let open = StoppingRule { users: None, ..closed() };
        assert_eq!(unsteady_because(&open, &vec![interval(1000, 100); 5]), None);
        let waiting = Interval { waited_s: Some(20.0), ..interval(1000, 100) };
        assert_eq!(unsteady_because(&stalled, &vec![waiting; 5]), None, "2 of 12 users wait");
    }

    #[test]
    fn a_steady_measurement_may_end_early_but_not_before_its_minimum() {
        let steady = vec![interval(1000, 100); 10];
        assert_eq!(next(&early(), &steady[..4]), Next::Measure);
        assert_eq!(next(&early(), &steady[..5]), Next::Close);
        let longer = StoppingRule { stop_early_after_s: Some(80.0), ..early() };
        assert_eq!(next(&longer, &steady[..7]), Next::Measure);
        assert_eq!(next(&longer, &steady[..8]), Next::Close);
    }

    #[test]
    fn too_few_samples_or_sections_far_apart_do_not_end_it_early() {
        // P99.9 needs 4603 samples, and one in each section above it.
        let tail = StoppingRule { quantiles: vec![0.999], ..early() };
        assert_eq!(next(&tail, &vec![interval(800, 125); 6]), Next::Measure);
        let mut wide: Vec<_> = [200, 260, 180, 230, 210, 190].map(|_| interval(1000, 100)).into();
        for (interval, tail_ms) in wide.iter_mut().zip([200, 260, 180, 230, 210, 190]) {
            interval.primary = Histogram::of_ms([(90, 900), (tail_ms, 100)]);
        }
        assert_eq!(next(&early(), &wide), Next::Measure);
    }

    #[test]
    fn growth_that_may_be_chance_makes_the_window_longer() {
        let open = StoppingRule { users: None, ..closed() };
        let growing =
            |finished| Interval { arrivals: Some(Arrivals { due: 1000, finished }), ..interval(1000, 100) };
        // √(2 × 5000) = 100 is a standard deviation of chance.
        assert_eq!(next(&open, &vec![growing(996); 5]), Next::Close);
        assert!(
            matches!(next(&open, &vec![growing(986); 5]), Next::Extend(why) if why.contains("overload or chance"))
        );
        assert_eq!(next(&open, &vec![growing(950); 5]), Next::Close, "that is overload");
    }

    #[test]
    fn without_exact_cuts_there_is_one_interval_without_a_steadiness_verdict() {
        let coarse = StoppingRule { exact: false, ..closed() };
        assert!((interval_s(&coarse) - 50.0).abs() < 1e-9);
        assert_eq!((next(&coarse, &[]), next(&coarse, &[interval(10, 100)])), (Next::Measure, Next::Close));
        let only = [interval(10, 100)];
        assert_eq!((window_from(&coarse, &only), unsteady_because(&coarse, &only)), (0, None));
    }

    proptest! {
        #[test]
        fn every_measurement_ends_between_its_minimum_and_its_cap(
            measured in prop::collection::vec((1_u64..3000, 1_u64..3000), 60), may_stop in any::<bool>(),
        ) {
            let rule = if may_stop { early() } else { closed() };
            let intervals: Vec<Interval> = measured.iter().map(|(requests, ms)| interval(*requests, *ms)).collect();
            let ends = (1..=intervals.len()).find(|n| next(&rule, &intervals[..*n]) == Next::Close);
            let seconds = ends.map(|n| n as f64 * 10.0);
            let least = rule.stop_early_after_s.unwrap_or(rule.duration_s);
            prop_assert!(seconds.is_some_and(|s| s >= least && s <= rule.most_s), "{:?}", seconds);
            prop_assert!(window_from(&rule, &intervals) < intervals.len());
        }

        #[test]
        fn an_extension_always_has_its_reason(measured in prop::collection::vec((1_u64..3000, 1_u64..3000), 5..9)) {
            let intervals: Vec<Interval> = measured.iter().map(|(requests, ms)| interval(*requests, *ms)).collect();
            if let Next::Extend(why) = next(&closed(), &intervals) {
                let unsteady = unsteady_because(&closed(), &intervals);
                prop_assert_eq!(unsteady.or_else(|| too_few_samples(&closed(), &intervals)), Some(why));
            }
        }
    }
}
