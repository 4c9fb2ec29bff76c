//! The counts of the open model's arrivals.

use serde::{Deserialize, Serialize};

/// Arrivals of an open-model load, cumulative since it was started, over all workers.
///
/// Arrivals that are due and neither started nor skipped wait in line for a free user, which is part
/// of their latency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenCounts {
    /// Arrivals that were asked for, 1/s.
    pub rate: f64,
    /// Arrivals scheduled so far.
    pub due: u64,
    /// Of these, how many were started.
    pub started: u64,
    /// Of these, how many were started more than 10 ms after they were due.
    pub late: u64,
    /// The longest time between due and started, ms.
    pub late_max_ms: f64,
    /// Due, and never started: no user was free until the load was stopped.
    pub skipped: u64,
    /// Of those started, how many tasks have ended; `None` if the generator does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<u64>,
}

impl OpenCounts {
    /// What came after `earlier`. A maximum has no difference: it stays the one since the start.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            rate: self.rate,
            due: self.due.saturating_sub(earlier.due),
            started: self.started.saturating_sub(earlier.started),
            late: self.late.saturating_sub(earlier.late),
            late_max_ms: self.late_max_ms,
            skipped: self.skipped.saturating_sub(earlier.skipped),
            finished: self.finished.zip(earlier.finished).map(|(later, before)| later.saturating_sub(before)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_came_between() {
        let earlier = OpenCounts {
            rate: 50.0,
            due: 100,
            started: 98,
            late: 1,
            late_max_ms: 12.0,
            skipped: 0,
            finished: Some(90),
        };
        let later = OpenCounts {
            rate: 50.0,
            due: 600,
            started: 590,
            late: 31,
            late_max_ms: 80.5,
            skipped: 10,
            finished: Some(570),
        };
        let window = OpenCounts {
            rate: 50.0,
            due: 500,
            started: 492,
            late: 30,
            late_max_ms: 80.5,
            skipped: 10,
            finished: Some(480),
        };
        assert_eq!(later.since(&earlier), window);
    }
}
