//! Waves of a queue near capacity in the open model.
//!
//! Near capacity, chance alone lets a queue grow and drain over a minute or more: response times of neighbouring
//! intervals then differ although the service does not change. The requests under way tell. Their range within a
//! window is compared with that of chance, where due and finished arrivals are independent Poisson counts.

use records::Interval;

/// Smaller ranges say that there was no queue worth the name, so that other times are those of the service.
const LEAST: f64 = 0.3;
/// Larger ranges are more than chance. A random walk exceeds it in 5 % of cases.
const MOST: f64 = 2.2;
/// A queue that shrinks more than this was there before: from a warm-up or a stall.
const SHRINKS: f64 = -1.1;

/// Whether chance in arrivals and service times explains how the requests under way changed from interval to
/// interval. False if the intervals do not tell their arrivals.
pub(super) fn is_wave(intervals: &[Interval]) -> bool {
    let (mut due, mut level, mut lowest, mut highest) = (0.0, 0.0_f64, 0.0_f64, 0.0_f64);
    for interval in intervals {
        let Some(arrivals) = interval.arrivals else { return false };
        due += arrivals.due as f64;
        level += arrivals.due as f64 - arrivals.finished as f64;
        lowest = lowest.min(level);
        highest = highest.max(level);
    }
    let chance = (2.0 * due).sqrt();
    due > 0.0 && level > SHRINKS * chance && (LEAST..=MOST).contains(&((highest - lowest) / chance))
}
