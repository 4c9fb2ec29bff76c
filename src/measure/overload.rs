//! Whether a service keeps up with the rate of the open model.
//!
//! If it does not, requests under way grow without end, and every percentile is a matter of the window's length.
//! Due and finished arrivals are compared over the window. Their difference is the growth of the requests under
//! way. Chance makes it grow, too: if due and finished arrivals are independent Poisson counts, the difference of
//! D of each has a standard deviation of √(2D). Without a queue, chance makes much less of it: then the requests under way at
//! either end are Poisson counts of a mean L, whose difference has a standard deviation of √(2L). Slow answers alone, which
//! have many requests under way, are no overload.

use records::{Arrivals, Interval, StoppingRule};

use super::window::{is_longest, window_from};

/// Growth, in standard deviations of chance, from which a service does not keep up.
const OVERLOADED: f64 = 1.15;
/// Growth, in the same unit, from which a longer window should decide.
const UNDECIDED: f64 = 0.2;
/// Growth from which a longer window should decide if requests under way are [`MANY`]. A queue that was there
/// before the window can have lasted through it by chance.
const UNDECIDED_IF_MANY: f64 = -1.0;
/// Requests under way in the last interval, in the same unit, that a service which keeps up rarely has.
const MANY: f64 = 0.3;
/// The same as a share of the due arrivals. By Little's law, it is the response time as a share of the window: many
/// replicas have many requests under way without a queue.
const MANY_OF_DUE: f64 = 1.0 / 70.0;

/// Growth, in standard deviations of what a service without a queue can have, below which nothing says that there is one.
const BEYOND_TURNOVER: f64 = 2.33;

/// How the finished arrivals of a window compare with those that were due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeepsUp {
    /// Arrivals that were due, 1/s.
    pub offered: f64,
    /// Arrivals whose task ended, 1/s.
    pub finished: f64,
    /// Growth of the requests under way, 1/s.
    pub growth: f64,
    /// The growth over the window, in standard deviations of chance.
    score: f64,
    /// The same up to the last cut but one. A pause of the service at the last cut is no overload.
    score_before: f64,
    /// Whether the growth is more than a service without a queue can have by chance.
    has_queue: bool,
    /// Whether requests under way were [`MANY`] in the last interval.
    many: bool,
    /// Whether the window cannot be made longer.
    is_last: bool,
}

impl KeepsUp {
    /// Compares over the window of these intervals; `None` if the generator does not count finished arrivals.
    pub fn of(rule: &StoppingRule, intervals: &[Interval]) -> Option<Self> {
        let window = &intervals[window_from(rule, intervals)..];
        let seconds: f64 = window.iter().map(|interval| interval.seconds).sum();
        let (due, finished) = counts(window);
        let chance = |due: f64| (2.0 * due).sqrt().max(1.0);
        let score = |(due, finished): (f64, f64)| (due - finished) / chance(due);
        let before = &window[..window.len().saturating_sub(1)];
        // By Little's law, response times add up to the requests under way at each moment.
        let under_way = |one: &Interval| one.total_ms / 1000.0 / one.seconds;
        let many =
            window.last().is_some_and(|last| under_way(last) > (MANY * chance(due)).max(MANY_OF_DUE * due));
        let turnover = (2.0 * window.first().map_or(0.0, under_way)).sqrt();
        (seconds > 0.0 && due > 0.0).then(|| Self {
            offered: due / seconds,
            finished: finished / seconds,
            growth: (due - finished) / seconds,
            score: score((due, finished)),
            score_before: score(counts(before)),
            has_queue: due - finished > BEYOND_TURNOVER * turnover,
            many,
            is_last: is_longest(rule, intervals),
        })
    }

    /// Whether the service does not keep up. In a window that may not be longer, requests under way that are
    /// [`MANY`] and still grow are enough.
    pub fn is_overloaded(&self) -> bool {
        let grows = self.score > OVERLOADED && (self.is_last || self.score_before > UNDECIDED);
        self.has_queue && (grows || (self.is_last && self.many && self.score > UNDECIDED))
    }

    /// Why a longer window should decide; `None` if this one does.
    pub fn doubt(&self) -> Option<String> {
        let grows = self.score > UNDECIDED;
        let may_grow = grows || (self.many && self.score > UNDECIDED_IF_MANY);
        if !may_grow || self.is_overloaded() {
            return None;
        }
        Some(if grows {
            format!("requests under way grow by {:.1}/s: overload or chance", self.growth)
        } else {
            "many requests are under way: overload or chance".to_owned()
        })
    }
}

/// The arrivals that were due in these intervals, and those that finished.
fn counts(intervals: &[Interval]) -> (f64, f64) {
    let arrivals = || intervals.iter().filter_map(|interval| interval.arrivals);
    let sum = |of: fn(Arrivals) -> u64| arrivals().map(of).sum::<u64>() as f64;
    (sum(|arrivals| arrivals.due), sum(|arrivals| arrivals.finished))
}

#[cfg(test)]
mod tests {
    use super::super::steady::tests::{closed, interval};
    use super::*;

    /// The open model with a window of 20 s in five intervals. The window may be extended to 40 s.
    fn rule() -> StoppingRule {
        StoppingRule { users: None, duration_s: 20.0, most_s: 40.0, ..closed() }
    }

    /// So many intervals of 4 s. Over 20 s, so many arrivals are due and finished; so many requests are under way.
    fn over(count: usize, due: u64, finished: u64, under_way: f64) -> KeepsUp {
        let one = Interval {
            seconds: 4.0,
            total_ms: under_way * 4000.0,
            arrivals: Some(Arrivals { due: due / 5, finished: finished / 5 }),
            ..interval(finished / 5, 100)
        };
        KeepsUp::of(&rule(), &vec![one; count]).unwrap()
    }

    #[test]
    fn sixty_on_a_service_for_forty_is_overload_and_says_how_much() {
        let keeps_up = over(5, 1200, 800, 200.0);
        assert!(keeps_up.is_overloaded() && keeps_up.doubt().is_none());
        let figures = (keeps_up.offered, keeps_up.finished, keeps_up.growth);
        assert_eq!(figures, (60.0, 40.0, 20.0));
    }

    #[test]
    fn a_growth_that_chance_makes_is_no_overload() {
        // √(2 · 800) = 40 arrivals are one standard deviation.
        assert!(over(5, 800, 795, 4.0).doubt().is_none() && !over(5, 800, 795, 4.0).is_overloaded());
        assert!(over(5, 800, 770, 4.0).doubt().is_some() && !over(5, 800, 770, 4.0).is_overloaded());
        assert!(over(5, 800, 750, 4.0).is_overloaded());
        assert!(over(5, 800, 900, 4.0).doubt().is_none(), "a queue that shrinks");
    }

    /// 20 requests/s that take 10 s each: 200 under way, more or less 20 of them at either end.
    #[test]
    fn slow_answers_without_a_queue_are_no_overload() {
        assert!(!over(10, 400, 380, 200.0).is_overloaded());
        assert!(over(10, 400, 320, 200.0).is_overloaded(), "this is more than chance");
    }

    /// Half loaded, and 200 requests/s wait at the last cut for a second.
    #[test]
    fn a_pause_at_the_last_cut_needs_a_longer_window() {
        let of = |due, finished| Interval {
            seconds: 4.0,
            total_ms: 4.0 * 20_000.0,
            arrivals: Some(Arrivals { due, finished }),
            ..interval(finished, 100)
        };
        let mut intervals = vec![of(800, 800); 4];
        intervals.push(of(800, 600));
        let paused = KeepsUp::of(&rule(), &intervals).unwrap();
        assert!(!paused.is_overloaded() && paused.doubt().is_some(), "{paused:?}");
        intervals.extend(vec![of(800, 760); 5]);
        assert!(KeepsUp::of(&rule(), &intervals).unwrap().is_overloaded(), "the longest one decides");
    }

    #[test]
    fn a_long_queue_that_does_not_grow_needs_a_longer_window() {
        let (short, long) = (10.0, 20.0);
        assert!(over(5, 800, 800, short).doubt().is_none());
        assert!(over(5, 800, 800, long).doubt().is_some());
        assert!(over(5, 800, 840, long).doubt().is_none(), "it shrinks");
    }

    #[test]
    fn the_longest_window_is_judged_by_growth_and_queue_together() {
        // In 40 s, √(2 · 1600) = 57 arrivals are one standard deviation.
        let (short, long) = (15.0, 25.0);
        assert!(!over(9, 800, 785, long).is_overloaded(), "it may be longer");
        assert!(over(10, 800, 785, long).is_overloaded());
        assert!(!over(10, 800, 785, short).is_overloaded());
        assert!(!over(10, 800, 800, long).is_overloaded(), "the queue does not grow");
    }

    #[test]
    fn without_a_count_of_finished_arrivals_nothing_is_said() {
        assert_eq!(KeepsUp::of(&rule(), &[interval(100, 10)]), None);
        assert_eq!(KeepsUp::of(&rule(), &[]), None);
    }
}
