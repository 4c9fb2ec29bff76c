//! Little's law: users = throughput × (response time + think time).
//!
//! It holds whatever the service is like. So a miss is the measurement's own (samples that were lost, errors that were
//! hidden, users that stalled), or the users spend time that nobody told of: a think time that is not that of the
//! script. The time in their wait times is measured where the load generator tells it. No fixed think time describes
//! users that are paced: what they wait shrinks as the service slows.

use records::Interval;

/// How far the two sides may be apart.
const WITHIN: f64 = 0.05;
/// A window shorter than so many mean responses cannot tell: too much of it is requests that were begun
/// before or end after.
const RESPONSES: f64 = 10.0;

/// What Little's law says of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Little {
    /// Nothing is missing: both sides agree, or more users are accounted for than run.
    Holds,
    /// Fewer users are accounted for than run.
    Missed {
        /// Throughput × (response time + think time).
        accounted: f64,
    },
    /// The window cannot tell.
    TooShort {
        /// It would have to be so long, s.
        needed_s: f64,
    },
}

/// The mean time that a user waits after a request, s: `think_s` of the settings, or the measured mean if that is longer.
pub fn mean_wait_s(think_s: f64, window: &[Interval]) -> f64 {
    let requests: u64 = window.iter().map(|interval| interval.requests).sum();
    let waited_s: f64 = window.iter().filter_map(|interval| interval.waited_s).sum();
    f64::max(think_s, waited_s / requests.max(1) as f64)
}

/// The users that a closed window of `seconds` accounts for: throughput × (response time + think time), with the longer
/// one of `think_s` and the wait times that were measured.
pub fn accounted(think_s: f64, waited_s: Option<f64>, requests: u64, total_ms: f64, seconds: f64) -> f64 {
    let think_s = f64::max(think_s * requests as f64, waited_s.unwrap_or(0.0));
    (total_ms / 1000.0 + think_s) / seconds
}

/// Checks a closed window of `seconds`: `requests` of all endpoints, `total_ms` being the sum of their
/// response times, made by `users` that think for `think_s` after each; or, if that is measured, that have spent
/// `waited_s` in their wait times together. The users are accounted for if either accounts for them: a script may also
/// think outside of its wait times.
pub fn little(
    users: u32,
    think_s: f64,
    waited_s: Option<f64>,
    requests: u64,
    total_ms: f64,
    seconds: f64,
) -> Little {
    let count = requests as f64;
    if requests == 0 || seconds <= 0.0 {
        return Little::TooShort { needed_s: f64::INFINITY };
    }
    let mean_s = total_ms / 1000.0 / count;
    let needed_s = RESPONSES * mean_s;
    if seconds < needed_s {
        return Little::TooShort { needed_s };
    }
    let users = f64::from(users);
    let accounted = accounted(think_s, waited_s, requests, total_ms, seconds);
    // The mean time from one request of a user to its next one.
    let cycle_s = accounted * seconds / count;
    // Requests under way at both ends count whole or not at all. Their age is spread evenly over a cycle,
    // so that each user adds a variance of 1/12 of a cycle squared at either end; twice that deviation may
    // be chance. It matters for a handful of users only.
    let ends = 2.0 * cycle_s * (users / 6.0).sqrt() / seconds;
    // No user can be lost if more are accounted for than run. It is the script: one that reports several rows per
    // answer counts their response times several times, and one that sends several requests before it thinks does
    // not think after each.
    if users - accounted <= WITHIN * users + ends { Little::Holds } else { Little::Missed { accounted } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_closed_loop_accounts_for_its_users() {
        // 20 users, 400 ms each: 50 requests/s.
        assert_eq!(little(20, 0.0, None, 1000, 400_000.0, 20.0), Little::Holds);
        // With 600 ms to think: 20 requests/s.
        assert_eq!(little(20, 0.6, None, 400, 160_000.0, 20.0), Little::Holds);
    }

    #[test]
    fn users_that_stall_are_missed() {
        // 4 of 40 users hang: 36 are accounted for, 10 % off.
        let stalled = little(40, 0.0, None, 1800, 36.0 * 20_000.0, 20.0);
        assert_eq!(stalled, Little::Missed { accounted: 36.0 });
        // A think time that nobody told of.
        assert!(matches!(little(20, 0.0, None, 400, 160_000.0, 20.0), Little::Missed { .. }));
    }

    #[test]
    fn more_users_than_run_are_the_scripts_rows_and_no_miss() {
        // 10 users at 400 ms, each answer reported a second time as a row of its own: 20 are accounted for.
        assert_eq!(little(10, 0.0, None, 1000, 400_000.0, 20.0), Little::Holds);
        // Three requests of 100 ms before each think time of 700 ms: 24 of 10 users.
        assert_eq!(little(10, 0.7, None, 600, 60_000.0, 20.0), Little::Holds);
    }

    #[test]
    fn paced_users_are_accounted_for_by_the_time_they_have_waited() {
        // Three requests each 2 s. 12 users: 18 requests/s of 303 ms, and 1.09 s of waiting in each period.
        let (requests, total_ms, waited_s) = (360, 360.0 * 303.0, 12.0 * 20.0 - 360.0 * 0.303);
        assert!(matches!(little(12, 0.0, None, requests, total_ms, 20.0), Little::Missed { .. }));
        assert_eq!(little(12, 0.0, Some(waited_s), requests, total_ms, 20.0), Little::Holds);
        // 60 users: 40 requests/s of 1.5 s, and no waiting. A think time of 567 ms was right for 4 users.
        assert_eq!(little(60, 0.567, Some(0.0), 800, 800.0 * 1500.0, 20.0), Little::Holds);
        // Users that hang in the script, neither in a request nor in a wait, are missed even so.
        let stalled = little(40, 0.0, Some(200.0), 1800, 26.0 * 20_000.0, 20.0);
        assert_eq!(stalled, Little::Missed { accounted: 36.0 });
    }

    #[test]
    fn a_window_of_less_than_ten_responses_cannot_tell() {
        // 800 users and 16 s per answer: 160 s are needed.
        let short = little(800, 0.0, None, 6000, 6000.0 * 16_000.0, 120.0);
        assert_eq!(short, Little::TooShort { needed_s: 160.0 });
        assert!(matches!(little(1, 0.0, None, 0, 0.0, 20.0), Little::TooShort { .. }));
    }

    proptest! {
        /// Users of any number and speed, each in a loop of its own, cut at any time.
        #[test]
        fn a_true_closed_loop_is_never_missed(
            users in 1_u32..60, response_ms in 20_u32..900, think_ms in 0_u32..500, phase in 0_u32..1000,
        ) {
            let (response, think) = (f64::from(response_ms), f64::from(think_ms));
            let (cycle, length) = (response + think, 10_000.0_f64.max(10.0 * (response + think)));
            let (mut requests, mut total) = (0, 0.0);
            for user in 0..users {
                // Answers come at offset, offset + cycle, …; the golden ratio spreads the offsets.
                let offset = (f64::from(user) * 0.618_033_988 + f64::from(phase) / 1000.0).fract() * cycle;
                let mut at = offset;
                while at < length {
                    requests += 1;
                    total += response;
                    at += cycle;
                }
            }
            prop_assert_eq!(little(users, think / 1000.0, None, requests, total, length / 1000.0), Little::Holds);
        }

        #[test]
        fn a_tenth_lost_is_always_missed(users in 40_u32..1000, mean_ms in 10_u32..1000) {
            let (mean, seconds) = (f64::from(mean_ms), 60.0);
            let requests = f64::from(users) * 0.9 * seconds * 1000.0 / mean;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let requests = requests.floor() as u64;
            let law = little(users, 0.0, None, requests, requests as f64 * mean, seconds);
            prop_assert!(matches!(law, Little::Missed { .. }), "{:?}", law);
        }
    }
}
