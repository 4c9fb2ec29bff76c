//! How long to measure: after each window, whether there is to be another one.

use serde::{Deserialize, Serialize};

use super::steady::{WINDOWS, steady_from};
use super::{Estimate, Little, Part, little};

/// An interval so wide, as a share of its percentile, is narrow enough to stop early.
const NARROW: f64 = 0.10;

/// What decides how long a scenario is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Users of a closed loop; `None` in the open model, where Little's law says nothing.
    pub users: Option<u32>,
    /// What a user thinks after each answer, s.
    pub think_s: f64,
    /// The window asked for, s.
    pub duration_s: f64,
    /// Whether to stop before that, and not before so many seconds.
    pub stop_early_after_s: Option<f64>,
    /// The longest measurement, s.
    pub most_s: f64,
    /// Whether cuts are exact. Without, it is measured as one window, of which nothing is said but its
    /// figures: its ends are too far off.
    pub exact: bool,
    /// The percentiles that must be known well enough to stop early, 0 to 1.
    pub shares: Vec<f64>,
}

/// What to do after a window.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Measure another one.
    Measure,
    /// Measure another one, although the time asked for is over; in words, why.
    Extend(String),
    /// The measurement is over.
    Close,
}

impl Course {
    /// The length of each window, s: a third of the time asked for, since three must agree; a twelfth where
    /// it may end early.
    pub fn step_s(&self) -> f64 {
        if !self.exact {
            return self.duration_s;
        }
        let steps = if self.stop_early_after_s.is_some() { 4.0 * WINDOWS as f64 } else { WINDOWS as f64 };
        self.duration_s / steps
    }

    /// Whether to measure on after these windows.
    pub fn next(&self, parts: &[Part]) -> Next {
        if !self.exact {
            return if parts.is_empty() { Next::Measure } else { Next::Close };
        }
        // Half a step: windows are never exactly as long as asked for.
        let slack = self.step_s() / 2.0;
        let measured: f64 = parts.iter().map(|part| part.seconds).sum();
        let over = measured + slack >= self.duration_s;
        let least = self.stop_early_after_s.unwrap_or(self.duration_s);
        if measured + slack < least.min(self.duration_s) {
            return Next::Measure;
        }
        if measured + slack >= self.most_s {
            return Next::Close;
        }
        match (self.unsettled(parts), over) {
            (Some(why), true) => Next::Extend(why),
            (None, true) => Next::Close,
            (None, false) if self.is_known(parts, least - slack) => Next::Close,
            (_, false) => Next::Measure,
        }
    }

    /// The first part of the row's window: of the steady state, or else of as many parts at the end as the
    /// time asked for takes.
    pub fn window_from(&self, parts: &[Part]) -> usize {
        if !self.exact {
            return 0;
        }
        if let Ok(from) = steady_from(parts) {
            return from;
        }
        let (mut from, mut seconds) = (parts.len(), 0.0);
        while from > 0 && seconds + self.step_s() / 2.0 < self.duration_s {
            from -= 1;
            seconds += parts[from].seconds;
        }
        from
    }

    /// Why the parts cannot be called steady, if so.
    pub fn unsettled(&self, parts: &[Part]) -> Option<String> {
        match steady_from(parts) {
            _ if !self.exact => None,
            Err(why) => Some(why),
            Ok(from) => self.unaccounted(&Part::sum(&parts[from..])),
        }
    }

    /// What Little's law has against a closed window, if anything.
    pub fn unaccounted(&self, window: &Part) -> Option<String> {
        let users = self.users?;
        match little(users, self.think_s, window.requests, window.total_ms, window.seconds) {
            Little::Holds => None,
            Little::Missed { accounted } => {
                let hint =
                    if self.think_s > 0.0 { "" } else { " (think_time is 0s: does the locustfile wait?)" };
                Some(format!(
                    "Little's law: throughput × (response + think time) accounts for {accounted:.1} of {users} users{hint}"
                ))
            }
            Little::TooShort { needed_s } if needed_s.is_finite() => Some(format!(
                "window too short: {:.0} s are less than ten mean responses, {needed_s:.0} s",
                window.seconds
            )),
            Little::TooShort { .. } => Some("no request finished".into()),
        }
    }

    /// Whether the percentiles of the steady state are known well enough, over at least `least_s`.
    fn is_known(&self, parts: &[Part], least_s: f64) -> bool {
        let Ok(from) = steady_from(parts) else { return false };
        let window = Part::sum(&parts[from..]);
        window.seconds >= least_s
            && self.shares.iter().all(|share| {
                let estimate = Estimate::of(&window.primary, *share);
                estimate.is_sampled() && estimate.relative_width().is_some_and(|width| width <= NARROW)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::steady::tests::part;
    use super::*;
    use proptest::prelude::*;

    /// 30 s of windows of 10 s, 60 s at most; 10 users at 100 ms are 1000 requests per window.
    fn course() -> Course {
        Course {
            users: Some(10),
            think_s: 0.0,
            duration_s: 30.0,
            stop_early_after_s: None,
            most_s: 60.0,
            exact: true,
            shares: vec![0.95],
        }
    }

    /// 120 s in windows of 10 s, which may end after 30 s.
    fn early() -> Course {
        Course { duration_s: 120.0, stop_early_after_s: Some(30.0), most_s: 240.0, ..course() }
    }

    #[test]
    fn three_steady_windows_are_the_measurement() {
        assert_eq!(course().next(&[part(1000, 100), part(1000, 100)]), Next::Measure);
        assert_eq!(course().next(&vec![part(1000, 100); 3]), Next::Close);
        assert_eq!(course().window_from(&vec![part(1000, 100); 3]), 0);
    }

    #[test]
    fn an_unsteady_measurement_is_extended_up_to_its_cap() {
        let warming = [part(250, 400), part(500, 200), part(1000, 100)];
        assert!(matches!(course().next(&warming), Next::Extend(why) if why.contains("throughput")));
        let warm = [&warming[..], &[part(1000, 100), part(1000, 100)]].concat();
        assert_eq!(course().next(&warm), Next::Close, "it is cured by measuring longer");
        assert_eq!(course().window_from(&warm), 2, "and what came before is left out");
        let never = [100, 400, 100, 400, 100, 400].map(|ms| part(100_000 / u64::from(ms), ms));
        assert!(matches!(course().next(&never[..5]), Next::Extend(_)));
        assert_eq!(course().next(&never), Next::Close);
        assert_eq!(course().window_from(&never), 3, "the last 30 s");
    }

    #[test]
    fn slow_answers_make_the_window_longer() {
        // 40 users at 4 s: ten mean responses are 40 s.
        let slow = Course { users: Some(40), ..course() };
        assert!(
            matches!(slow.next(&vec![part(100, 4000); 3]), Next::Extend(why) if why.contains("too short"))
        );
        assert_eq!(slow.next(&vec![part(100, 4000); 4]), Next::Close);
        assert_eq!(slow.window_from(&vec![part(100, 4000); 4]), 0);
    }

    #[test]
    fn users_that_are_not_accounted_for_are_told() {
        let stalled = Course { users: Some(12), ..course() };
        let why = stalled.unsettled(&vec![part(1000, 100); 3]).unwrap();
        assert!(why.contains("accounts for 10.0 of 12 users"), "{why}");
        assert_eq!(Course { users: None, ..course() }.unsettled(&vec![part(1000, 100); 3]), None);
    }

    #[test]
    fn a_steady_measurement_may_stop_early_but_not_before_its_minimum() {
        assert_eq!(early().next(&vec![part(1000, 100); 2]), Next::Measure);
        assert_eq!(early().next(&vec![part(1000, 100); 3]), Next::Close);
        let longer = Course { stop_early_after_s: Some(60.0), ..early() };
        assert_eq!(longer.next(&vec![part(1000, 100); 5]), Next::Measure);
        assert_eq!(longer.next(&vec![part(1000, 100); 6]), Next::Close);
    }

    #[test]
    fn too_few_samples_or_a_wide_interval_do_not_stop_early() {
        // P99.9 needs 4603 samples.
        let tail = Course { shares: vec![0.999], ..early() };
        assert_eq!(tail.next(&vec![part(1000, 100); 4]), Next::Measure);
        let mut wide = part(100, 50);
        wide.primary.0.extend((0..10).map(|i| (100 + 40 * i, 1)));
        wide.requests = wide.primary.count();
        wide.total_ms = 100_000.0;
        assert_eq!(early().next(&vec![wide.clone(); 4]), Next::Measure);
        assert_eq!(early().next(&vec![wide; 12]), Next::Close, "the time asked for is over");
    }

    #[test]
    fn without_exact_cuts_there_is_one_window_and_nothing_is_said_of_it() {
        let coarse = Course { exact: false, ..course() };
        assert!((coarse.step_s() - 30.0).abs() < 1e-9);
        assert_eq!((coarse.next(&[]), coarse.next(&[part(10, 100)])), (Next::Measure, Next::Close));
        assert_eq!((coarse.window_from(&[part(10, 100)]), coarse.unsettled(&[part(10, 100)])), (0, None));
    }

    proptest! {
        #[test]
        fn every_measurement_ends_between_its_minimum_and_its_cap(
            windows in prop::collection::vec((1_u64..3000, 1_u32..3000), 40), may_stop in any::<bool>(),
        ) {
            let course = if may_stop { early() } else { course() };
            let parts: Vec<Part> = windows.iter().map(|(requests, ms)| part(*requests, *ms)).collect();
            let ends = (1..=parts.len()).find(|n| course.next(&parts[..*n]) == Next::Close);
            let seconds = ends.map(|n| n as f64 * 10.0);
            let least = course.stop_early_after_s.unwrap_or(course.duration_s);
            prop_assert!(seconds.is_some_and(|s| s >= least && s <= course.most_s), "{:?}", seconds);
            prop_assert!(course.window_from(&parts) < parts.len());
        }

        #[test]
        fn it_is_never_extended_for_nothing(windows in prop::collection::vec((1_u64..3000, 1_u32..3000), 3..6)) {
            let parts: Vec<Part> = windows.iter().map(|(requests, ms)| part(*requests, *ms)).collect();
            if let Next::Extend(why) = course().next(&parts) {
                prop_assert_eq!(course().unsettled(&parts), Some(why));
            }
        }
    }
}
