//! The health of a worker process of the load generator: CPU and event loop, as the process itself sees them.

use serde::{Deserialize, Serialize};

use crate::Histogram;

/// One worker's health, cumulative since its process began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// When it was taken: the worker's clock, s since the epoch.
    pub at: f64,
    /// CPU time the process has used, s.
    pub cpu_seconds: f64,
    /// Cores that the process may run on.
    pub cores: u32,
    /// CPU limit of its cgroup, in cores; `None` without a limit.
    pub cpu_limit: Option<f64>,
    /// CFS periods in which the cgroup ran; `None` if the kernel does not tell.
    pub periods: Option<u64>,
    /// CFS periods in which it was throttled.
    pub throttled: Option<u64>,
    /// How late the event loop was, µs by count: one probe about every 100 ms. In a record with both
    /// readings it begins at the opening of the window, where it is empty.
    pub lag: Histogram,
}

/// A worker's health between two readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthWindow {
    /// Time between the two, s by the worker's clock.
    pub seconds: f64,
    /// CPU time used, s.
    pub cpu_seconds: f64,
    /// Cores that the process may run on.
    pub cores: u32,
    /// CPU limit of its cgroup, in cores; `None` without a limit.
    pub cpu_limit: Option<f64>,
    /// CFS periods in which the cgroup ran.
    pub periods: Option<u64>,
    /// CFS periods in which it was throttled.
    pub throttled: Option<u64>,
    /// How late the event loop was, µs by count.
    pub lag: Histogram,
}

impl Health {
    /// Leaves out of two readings of the same process what came before the first one: the event loop's histogram grows as
    /// long as the process lives.
    #[must_use]
    pub fn apart(opening: &Self, closing: &Self) -> (Self, Self) {
        let lag = closing.lag.since(&opening.lag);
        (Self { lag: Histogram::default(), ..opening.clone() }, Self { lag, ..closing.clone() })
    }

    /// What came after `earlier`, a reading of the same process.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> HealthWindow {
        let more = |later: Option<u64>, before: Option<u64>| Some(later?.saturating_sub(before?));
        HealthWindow {
            seconds: (self.at - earlier.at).max(0.0),
            cpu_seconds: (self.cpu_seconds - earlier.cpu_seconds).max(0.0),
            cores: self.cores,
            cpu_limit: self.cpu_limit,
            periods: more(self.periods, earlier.periods),
            throttled: more(self.throttled, earlier.throttled),
            lag: self.lag.since(&earlier.lag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_came_between() {
        let lag = |counts: &[(u64, u64)]| counts.iter().copied().collect::<Histogram>();
        let earlier = Health {
            at: 100.0,
            cpu_seconds: 7.5,
            cores: 2,
            cpu_limit: Some(0.5),
            periods: Some(50),
            throttled: Some(2),
            lag: lag(&[(0, 90), (3, 1)]),
        };
        let later = Health {
            at: 110.0,
            cpu_seconds: 12.0,
            periods: Some(150),
            throttled: Some(60),
            lag: lag(&[(0, 150), (3, 1), (70, 40)]),
            ..earlier.clone()
        };
        let window = later.since(&earlier);
        assert!((window.seconds - 10.0).abs() < 1e-9 && (window.cpu_seconds - 4.5).abs() < 1e-9);
        assert_eq!((window.periods, window.throttled), (Some(100), Some(58)));
        assert_eq!(window.lag, lag(&[(0, 60), (70, 40)]));
        let (opening, closing) = Health::apart(&earlier, &later);
        assert!(opening.lag.is_empty(), "a long run would repeat all of it in each record");
        assert_eq!(closing.since(&opening), window);
        let silent = Health { throttled: None, ..earlier };
        assert_eq!(later.since(&silent).throttled, None, "unknown before: unknown between");
    }
}
