//! Whether a service keeps up with the rate of the open model.
//!
//! If it does not, requests under way grow without end, and every percentile is a matter of the window's length.
//! Due and finished arrivals are compared over the window. Their difference is the growth of the requests under
//! way. Chance makes it grow, too: if due and finished arrivals are independent Poisson counts, the difference of
//! D of each has a standard deviation of √(2D).

use records::{Arrivals, Interval};

/// Growth, in standard deviations of chance, from which a service does not keep up.
const OVERLOADED: f64 = 1.1;
/// Growth, in the same unit, from which a longer window should decide.
const UNDECIDED: f64 = 0.2;

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
}

impl KeepsUp {
    /// Compares over these intervals; `None` if the generator does not count finished arrivals.
    pub fn over(intervals: &[Interval]) -> Option<Self> {
        let seconds: f64 = intervals.iter().map(|interval| interval.seconds).sum();
        let arrivals: Vec<Arrivals> = intervals.iter().filter_map(|interval| interval.arrivals).collect();
        let due = arrivals.iter().map(|arrivals| arrivals.due).sum::<u64>() as f64;
        let finished = arrivals.iter().map(|arrivals| arrivals.finished).sum::<u64>() as f64;
        (seconds > 0.0 && due > 0.0).then(|| Self {
            offered: due / seconds,
            finished: finished / seconds,
            growth: (due - finished) / seconds,
            score: (due - finished) / (2.0 * due).sqrt(),
        })
    }

    /// Whether the service does not keep up.
    pub fn is_overloaded(&self) -> bool {
        self.score > OVERLOADED
    }

    /// Whether a longer window should decide.
    pub fn is_undecided(&self) -> bool {
        self.score > UNDECIDED && !self.is_overloaded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 s in five intervals, in which so many arrivals were due and finished.
    fn over(due: u64, finished: u64) -> KeepsUp {
        let arrivals = Some(Arrivals { due: due / 5, finished: finished / 5 });
        KeepsUp::over(&vec![Interval { seconds: 4.0, arrivals, ..Interval::default() }; 5]).unwrap()
    }

    #[test]
    fn sixty_on_a_service_for_forty_is_overload_and_says_how_much() {
        let keeps_up = over(1200, 800);
        assert!(keeps_up.is_overloaded() && !keeps_up.is_undecided());
        let figures = (keeps_up.offered, keeps_up.finished, keeps_up.growth);
        assert_eq!(figures, (60.0, 40.0, 20.0));
    }

    #[test]
    fn a_growth_that_chance_makes_is_no_overload() {
        // √(2 · 800) = 40 arrivals are one standard deviation.
        assert!(!over(800, 795).is_undecided() && !over(800, 795).is_overloaded());
        assert!(over(800, 770).is_undecided() && !over(800, 770).is_overloaded());
        assert!(over(800, 750).is_overloaded());
        assert!(!over(800, 900).is_undecided(), "a queue that shrinks");
    }

    #[test]
    fn without_a_count_of_finished_arrivals_nothing_is_said() {
        assert_eq!(KeepsUp::over(&[Interval { seconds: 4.0, ..Interval::default() }]), None);
        assert_eq!(KeepsUp::over(&[]), None);
    }
}
