//! Whether an open-model window received the arrival rate that it is named after.

use records::OpenCounts;

/// Largest acceptable share of arrivals that were not started, and of the rate by which those that were due may differ from it.
const WITHIN: f64 = 0.01;
/// The number of Poisson arrivals varies by chance. A difference of more standard deviations than this is no chance.
const DEVIATIONS: f64 = 4.0;

/// Why the window did not receive its arrival rate, in words; `None` if it did. `window` has the counts between its ends, and
/// `seconds` is its length.
///
/// A late start is no reason: the arrival waited in line, and its latency counts from when it was due.
pub fn not_offered(window: &OpenCounts, seconds: f64) -> Option<String> {
    if window.due == 0 {
        return Some("no request was due".into());
    }
    let (due, wanted) = (window.due as f64, window.rate * seconds);
    if (due - wanted).abs() > (WITHIN * wanted).max(DEVIATIONS * wanted.sqrt()) {
        let rate = due / seconds;
        return Some(format!(
            "{rate:.1} requests/s were due instead of {}: a worker made no arrivals, or its clock is wrong",
            window.rate
        ));
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
        assert_eq!(not_offered(&counts(1000, 990, 0), 20.0), None);
        assert!(not_offered(&counts(1000, 989, 3), 20.0).unwrap().starts_with("11 of 1000 requests"));
        assert_eq!(not_offered(&counts(20, 19, 0), 0.4), None, "one that is just being started");
        assert_eq!(not_offered(&counts(0, 0, 0), 20.0).unwrap(), "no request was due");
    }

    /// A worker that never gets its share leaves half of the load, and everything that is due is started.
    #[test]
    fn as_many_arrivals_are_due_as_the_rate_says() {
        assert_eq!(not_offered(&counts(1100, 1100, 0), 20.0), None, "chance");
        let half = not_offered(&counts(500, 500, 0), 20.0).unwrap();
        assert!(half.starts_with("25.0 requests/s were due instead of 50"), "{half}");
        assert!(not_offered(&counts(101_500, 101_500, 0), 2000.0).is_some(), "1.5 % of many is no chance");
    }

    proptest! {
        #[test]
        fn a_window_that_catches_up_on_earlier_arrivals_received_its_rate(due in 1_u64..100_000, more in 0_u64..100) {
            prop_assert_eq!(not_offered(&counts(due, due + more, 0), due as f64 / 50.0), None);
        }
    }
}
