//! How long a container that ends waits before it starts again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(5);
/// A container that ran for this long begins anew.
const FORGIVEN_AFTER: Duration = Duration::from_mins(10);

/// The pauses of one container: none, then 10 s, doubled up to 5 min.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff(u32);

impl BackOff {
    /// The pause after an end, which followed `ran` of running.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= FORGIVEN_AFTER {
            self.0 = 0;
        }
        let pause = match self.0 {
            0 => Duration::ZERO,
            n => (FIRST * 2_u32.saturating_pow(n - 1).min(32)).min(LONGEST),
        };
        self.0 += 1;
        pause
    }

    /// The pause after a failed pull, of which even the first is one.
    pub(super) fn after_pull(&mut self) -> Duration {
        self.0 = self.0.max(1);
        self.after(Duration::ZERO)
    }
}

/// A time as Kubernetes writes it: `10s`, `2m40s`.
pub(super) fn words(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_forgiven() {
        let mut backoff = BackOff::default();
        let pauses: Vec<String> = (0..8).map(|_| words(backoff.after(Duration::from_secs(1)))).collect();
        assert_eq!(pauses, ["0s", "10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
        assert_eq!(backoff.after(Duration::from_secs(601)), Duration::ZERO);
        assert_eq!(BackOff::default().after_pull(), FIRST);
    }
}
