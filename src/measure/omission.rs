//! Coordinated omission: the requests that waiting users do not send.
//!
//! In the closed model a user that waits 1 s for an answer sends nothing in that second, so a stall is
//! one slow sample per user where users who do not wait would have seen many.

use records::{Histogram, three_digits};

/// The interval between two requests of one user to the primary endpoint when nothing stalls, µs. [`corrected`]
/// expects this interval of a closed loop, which has no schedule.
///
/// If a share s of a user's requests goes to the primary endpoint, 1/s − 1 requests to other endpoints come between
/// two of them, on average. After each request the user thinks. So the interval is
///
/// response + think + (1/s − 1) × (response of the others + think),
///
/// each response being a median, so that a stall does not change it. Without the others' part a stall would stand for
/// more requests than its user can send.
pub fn typical_cycle_us(primary: &Histogram, others: &Histogram, think_s: f64) -> Option<u64> {
    let think = 1e6 * think_s.max(0.0);
    let per_primary = others.count() as f64 / primary.count() as f64;
    let between = others.quantile(0.5).map_or(0.0, |response| per_primary * (response as f64 + think));
    let cycle = primary.quantile(0.5)? as f64 + think + between;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is positive")]
    let cycle = cycle.round() as u64;
    Some(cycle.max(1))
}

/// The histogram as it would be if every user had asked once per `interval_us`, whether answered or not:
/// a response longer than that stands for those that would have begun during it, each of which would
/// have waited one interval less than the one before (HdrHistogram's `copyCorrectedForCoordinatedOmission`).
#[must_use]
pub fn corrected(responses: &Histogram, interval_us: u64) -> Histogram {
    if interval_us == 0 {
        return responses.clone();
    }
    let below = |us: u64| us.checked_sub(interval_us).filter(|next| *next >= interval_us);
    let missing = responses.iter().flat_map(|(bucket, count)| {
        std::iter::successors(below(bucket), move |us| below(*us)).map(move |us| (three_digits(us), count))
    });
    responses.iter().chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fake_inference::simulation::{Load, Simulation, Think};
    use proptest::prelude::*;

    fn histogram(counts: &[(u64, u64)]) -> Histogram {
        counts.iter().copied().collect()
    }

    #[test]
    fn a_stall_stands_for_those_who_would_have_come_during_it() {
        // The example of HdrHistogram's documentation in small: 100 ms expected, one of 450 ms.
        let seen = histogram(&[(100, 20), (450, 1)]);
        let expected = histogram(&[(100, 20), (450, 1), (350, 1), (250, 1), (150, 1)]);
        assert_eq!(corrected(&seen, 100), expected);
        // 200 ms is one interval more than expected; the one that would have begun is of 100 ms.
        assert_eq!(corrected(&histogram(&[(200, 3)]), 100), histogram(&[(200, 3), (100, 3)]));
        assert_eq!(corrected(&histogram(&[(199, 3)]), 100), histogram(&[(199, 3)]));
    }

    #[test]
    fn a_stall_that_the_raw_percentile_hides_shows_in_the_corrected_one() {
        // Ten users at 50 ms; in each 10 s a stall of 1 s: 180 samples in 9 s, then one of 1 s, per user.
        let seen = histogram(&[(50, 1800), (1000, 10)]);
        assert_eq!(seen.quantile(0.99), Some(50));
        let interval = typical_cycle_us(&seen, &Histogram::default(), 0.0).unwrap();
        assert_eq!(interval, 50);
        assert_eq!(corrected(&seen, interval).quantile(0.99), Some(900));
    }

    #[test]
    fn think_time_belongs_to_the_cycle() {
        let none = Histogram::default();
        assert_eq!(typical_cycle_us(&histogram(&[(50_000, 3)]), &none, 0.2), Some(250_000));
        assert_eq!(typical_cycle_us(&histogram(&[(0, 3)]), &none, 0.0), Some(1), "never a step of nothing");
        assert_eq!(typical_cycle_us(&none, &none, 0.1), None);
        assert_eq!(typical_cycle_us(&none, &histogram(&[(50_000, 3)]), 0.1), None);
    }

    #[test]
    fn requests_to_other_endpoints_belong_to_the_cycle() {
        // 8 : 2 requests of 100 ms and 10 ms: every fourth time, one of the others comes between.
        let (primary, others) = (histogram(&[(100_000, 800)]), histogram(&[(10_000, 200)]));
        assert_eq!(typical_cycle_us(&primary, &others, 0.0), Some(102_500));
        assert_eq!(typical_cycle_us(&primary, &others, 0.2), Some(352_500), "100 + 200 + (10 + 200) / 4");
    }

    #[test]
    fn a_stall_of_a_user_with_other_requests_stands_for_as_many_as_it_would_have_sent() {
        // Four others of 50 ms come between: the user asks once per 250 ms.
        let mut primary = histogram(&[(50_000, 100)]);
        let others = histogram(&[(50_000, 400)]);
        let interval = typical_cycle_us(&primary, &others, 0.0).unwrap();
        primary.add(&histogram(&[(1_000_000, 1)]));
        let added = corrected(&primary, interval).since(&primary);
        assert_eq!(added, histogram(&[(750_000, 1), (500_000, 1), (250_000, 1)]));
    }

    /// Simulates one user with this share of primary requests. A request costs the client 50 ms, which Locust counts
    /// as a part of its response time, and the service of a primary one takes 100 ms. Returns the histograms of the
    /// primary endpoint and of the others, and how many primary requests the user would have sent with one per
    /// typical cycle, which is the median time between two of them.
    fn with_other_requests(share: f64) -> (Histogram, Histogram, f64) {
        let (seconds, each) = (4000.0, 0.05);
        let load = Load::Closed { users: 1, think: Think::OtherRequests { share, each }, ramp: 0.0 };
        let trace = Simulation { load, seconds, ..Simulation::default() }.run();
        let requests = trace.finished_between(0.0, seconds);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in µs")]
        let us = |seconds: f64| (1e6 * seconds).round() as u64;
        let primary: Histogram =
            requests.iter().map(|request| (three_digits(us(request.response() + each)), 1)).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let others = (primary.count() as f64 * (1.0 / share - 1.0)) as u64;
        let mut cycles: Vec<f64> =
            requests.windows(2).map(|pair| pair[1].started_s - pair[0].started_s).collect();
        cycles.sort_by(f64::total_cmp);
        (primary, Histogram::of_ms([(50, others)]), seconds / cycles[cycles.len() / 2])
    }

    #[test]
    fn a_user_with_other_requests_is_not_taken_to_ask_more_often_than_it_can() {
        for share in [0.8, 0.5, 0.2] {
            let (primary, others, most) = with_other_requests(share);
            let after = |others: &Histogram| {
                corrected(&primary, typical_cycle_us(&primary, others, 0.0).unwrap()).count() as f64
            };
            let (with, without) = (after(&others), after(&Histogram::default()));
            assert!(with <= most && most < without, "share {share}: {with}, {most}, {without}");
        }
    }

    #[test]
    fn what_is_added_has_three_digits_too() {
        assert!(corrected(&histogram(&[(5000, 1)]), 7).iter().all(|(us, _)| us < 1000 || us % 10 == 0));
    }

    proptest! {
        #[test]
        fn nothing_is_taken_away_and_no_percentile_falls_below_the_interval(
            samples in prop::collection::btree_map(1_u64..20_000, 1_u64..5, 1..50), interval in 1_u64..2000,
        ) {
            let seen: Histogram = samples.into_iter().map(|(ms, count)| (three_digits(ms), count)).collect();
            let filled = corrected(&seen, interval);
            prop_assert_eq!(seen.since(&filled), Histogram::default());
            let added = filled.since(&seen);
            prop_assert!(added.iter().all(|(ms, _)| ms + 5 >= interval));
            prop_assert_eq!(filled.max(), seen.max());
            let expected: u64 = seen.iter().map(|(ms, n)| n * (ms / interval).saturating_sub(1)).sum();
            prop_assert_eq!(added.count(), expected);
        }

        #[test]
        fn without_a_response_longer_than_two_intervals_nothing_is_missing(
            samples in prop::collection::btree_map(1_u64..1000, 1_u64..5, 1..50),
        ) {
            let seen: Histogram = samples.into_iter().collect();
            prop_assert_eq!(corrected(&seen, 1000), seen);
        }
    }
}
