//! Whether an open-model window received the arrival rate that it is named after.

use records::OpenCounts;

/// Largest acceptable share of arrivals that were not started.
const WITHIN: f64 = 0.01;

/// Why the window did not receive its arrival rate, in words; `None` if it did. `window` has the counts
/// between its ends.
///
/// A late start is no reason: the arrival waited in line, and its latency counts from when it was due.
pub fn not_offered(window: &OpenCounts) -> Option<String> {
    if window.due == 0 {
        return Some("no request was due".into());
    }
    let missing = window.due.saturating_sub(window.started);
    // One request that is just being started is no backlog.
    (missing > 1 && missing as f64 > WITHIN * window.due as f64).then(|| {
        format!(
            "{missing} of {} requests that were due were not started, {} of them skipped: every user of the pool was busy",
            window.due, window.skipped
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(due: u64, started: u64, skipped: u64) -> OpenCounts {
        OpenCounts { rate: 50.0, due, started, late: 0, late_max_ms: 0.0, skipped, finished: None }
    }

    #[test]
    fn up_to_one_percent_of_the_arrivals_may_be_missing() {
        assert_eq!(not_offered(&counts(1000, 990, 0)), None);
        assert!(not_offered(&counts(1000, 989, 3)).unwrap().starts_with("11 of 1000 requests"));
        assert_eq!(not_offered(&counts(20, 19, 0)), None, "one that is just being started");
        assert_eq!(not_offered(&counts(0, 0, 0)).unwrap(), "no request was due");
    }

    proptest! {
        #[test]
        fn a_window_that_catches_up_on_earlier_arrivals_received_its_rate(due in 1_u64..100_000, more in 0_u64..100) {
            prop_assert_eq!(not_offered(&counts(due, due + more, 0)), None);
        }
    }
}
