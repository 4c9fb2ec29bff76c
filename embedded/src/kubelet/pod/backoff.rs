//! The back-off of containers: how long they wait before they start again.

use std::time::Duration;

const FIRST_DELAY: Duration = Duration::from_secs(10);
const LONGEST_DELAY: Duration = Duration::from_mins(5);
/// After a run of this length, the back-off starts from the beginning.
const RESET_AFTER: Duration = Duration::from_mins(10);

/// The delays of one container: first none, then 10 s, doubled each time, at most 5 min.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff(u32);

impl BackOff {
    /// The delay after a run that lasted `ran`.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= RESET_AFTER {
            self.0 = 0;
        }
        let delay = match self.0 {
            0 => Duration::ZERO,
            n => (FIRST_DELAY * 2_u32.saturating_pow(n - 1).min(32)).min(LONGEST_DELAY),
        };
        self.0 += 1;
        delay
    }

    /// The delay after a failed pull. Even the first failure has one.
    pub(super) fn after_pull(&mut self) -> Duration {
        self.0 = self.0.max(1);
        self.after(Duration::ZERO)
    }
}

/// A duration in Kubernetes' format: `10s`, `2m40s`.
pub(super) fn format_duration(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_start_again_after_a_long_run() {
        let mut backoff = BackOff::default();
        let delays: Vec<String> =
            (0..8).map(|_| format_duration(backoff.after(Duration::from_secs(1)))).collect();
        assert_eq!(delays, ["0s", "10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
        assert_eq!(backoff.after(Duration::from_secs(601)), Duration::ZERO);
        assert_eq!(BackOff::default().after_pull(), FIRST_DELAY);
    }
}
