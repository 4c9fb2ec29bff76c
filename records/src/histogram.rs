//! Response times as counts per bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many requests took how long, in buckets: response times in µs with three significant digits.
///
/// In JSON it is an object with the number of samples of each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The buckets in ascending order, each with the number of samples up to and including it: a quantile is a binary
    /// search. Copies share them: most records have the same histogram several times.
    up_to: Arc<[(u64, u64)]>,
}

/// Counts per bucket in µs, in any order. Counts of the same bucket are added.
impl FromIterator<(u64, u64)> for Histogram {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(counts: I) -> Self {
        let mut up_to: Vec<(u64, u64)> = counts.into_iter().collect();
        up_to.sort_unstable_by_key(|(bucket, _)| *bucket);
        up_to.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                kept.1 = kept.1.saturating_add(later.1);
            }
            is_same
        });
        let mut seen = 0_u64;
        for (_, samples) in &mut up_to {
            seen = seen.saturating_add(*samples);
            *samples = seen;
        }
        Self { up_to: up_to.into() }
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<u64, u64>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Histogram {
    /// Counts per response time in whole ms.
    pub fn of_ms(counts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        counts.into_iter().map(|(ms, count)| (three_digits(ms * 1000), count)).collect()
    }

    /// The buckets in µs, in ascending order, each with its number of samples.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut before = 0;
        self.up_to.iter().map(move |(bucket, seen)| (*bucket, seen - std::mem::replace(&mut before, *seen)))
    }

    /// Whether it has no bucket.
    pub fn is_empty(&self) -> bool {
        self.up_to.is_empty()
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.up_to.last().map_or(0, |(_, seen)| *seen)
    }

    /// The nearest-rank quantile in µs: the smallest bucket that at least the share `q` (0 to 1) of the
    /// samples do not exceed. `None` without samples.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.at_rank(nearest_rank(q, self.count()))
    }

    /// The sample of that rank in µs, rank 1 being the shortest; `None` if there is no such sample.
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        let at = self.up_to.partition_point(|(_, seen)| *seen < rank);
        self.up_to.get(at).map(|(bucket, _)| *bucket).filter(|_| rank > 0)
    }

    /// Adds the samples of another histogram.
    pub fn add(&mut self, other: &Self) {
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        *self = self.iter().chain(other.iter()).collect();
    }

    /// The largest bucket in µs.
    pub fn max(&self) -> Option<u64> {
        self.up_to.last().map(|(bucket, _)| *bucket)
    }

    /// Sum of all samples, ms, each taken as its bucket.
    pub fn total_ms(&self) -> f64 {
        self.iter().map(|(us, count)| us as f64 / 1000.0 * count as f64).sum()
    }

    /// The samples that came after `earlier`, a snapshot of the same growing histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        if earlier.is_empty() {
            return self.clone();
        }
        let mut earlier = earlier.iter().peekable();
        let counts = self.iter().filter_map(|(bucket, count)| {
            while earlier.next_if(|(before, _)| *before < bucket).is_some() {}
            let before = earlier.next_if(|(same, _)| *same == bucket).map_or(0, |(_, count)| count);
            let new = count.saturating_sub(before);
            (new > 0).then_some((bucket, new))
        });
        counts.collect()
    }
}

/// A response time in µs, rounded to three significant digits: the bucket that it belongs to.
pub const fn three_digits(us: u64) -> u64 {
    let mut step = 1;
    while us / step >= 1000 {
        step *= 10;
    }
    us.saturating_add(step / 2) / step * step
}

/// A response time given in µs, written in ms with three significant digits: `1.41`, `37.2`, `508`, `4080`.
pub fn ms(us: u64) -> String {
    let value = us as f64 / 1000.0;
    // Compared in µs after rounding, so that 9.996 ms is written as 10.0.
    match three_digits(us) {
        0..10_000 if us < 1000 => format!("{value:.3}"),
        0..10_000 => format!("{value:.2}"),
        10_000..100_000 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// The rank of a quantile among `count` samples, by the nearest-rank method; rank 1 is the shortest.
#[must_use]
pub fn nearest_rank(q: f64, count: u64) -> u64 {
    // A product such as 0.07 × 100 lands a hair above 7, and its ceiling would be one rank too high.
    let rank = ((q * count as f64) - 1e-9).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the count")]
    let rank = rank as u64;
    rank
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(samples: &[u64]) -> Histogram {
        samples.iter().map(|sample| (*sample, 1)).collect()
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn the_95th_of_a_hundred_is_the_95th() {
        let samples: Vec<u64> = (1..=100).collect();
        let histogram = of(&samples);
        assert_eq!(histogram.quantile(0.95), Some(95));
        assert_eq!(histogram.quantile(0.07), Some(7));
        assert_eq!(histogram.quantile(1.0), Some(100));
        assert_eq!(histogram.quantile(0.0), Some(1));
    }

    #[test]
    fn a_response_time_is_written_in_ms_with_three_digits() {
        let written =
            [0, 7, 87, 1000, 1410, 9994, 9996, 10_000, 37_200, 99_960, 100_000, 508_000, 4_080_000].map(ms);
        let expected = [
            "0.000", "0.007", "0.087", "1.00", "1.41", "9.99", "10.0", "10.0", "37.2", "100", "100", "508",
            "4080",
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn a_bucket_has_three_significant_digits() {
        assert_eq!([0, 1, 999, 1004, 12_350, 99_950].map(three_digits), [0, 1, 999, 1000, 12_400, 100_000]);
        assert_eq!(three_digits(u64::MAX), u64::MAX / 10_u64.pow(17) * 10_u64.pow(17));
    }

    #[test]
    fn its_json_has_the_samples_of_each_bucket_in_ascending_order() {
        let histogram: Histogram = [(1000, 2), (90, 1), (1000, 3), (200, 0)].into_iter().collect();
        let json = r#"{"90":1,"200":0,"1000":5}"#;
        assert_eq!(serde_json::to_string(&histogram).unwrap(), json);
        assert_eq!(serde_json::from_str::<Histogram>(json).unwrap(), histogram);
        assert!(serde_json::from_str::<Histogram>(r#"{"90":-1}"#).is_err());
    }

    #[test]
    fn counts_that_no_number_holds_end_at_the_largest() {
        let histogram: Histogram = [(1, u64::MAX), (2, 5)].into_iter().collect();
        assert_eq!((histogram.count(), histogram.quantile(1.0)), (u64::MAX, Some(1)));
    }

    proptest! {
        #[test]
        fn a_sum_has_the_samples_of_both(
            one in prop::collection::vec(0_u64..50, 0..200), other in prop::collection::vec(0_u64..50, 0..200),
        ) {
            let mut sum = of(&one);
            sum.add(&of(&other));
            let all: Vec<u64> = one.iter().chain(&other).copied().collect();
            prop_assert_eq!(sum.iter().map(|(_, samples)| samples).sum::<u64>(), all.len() as u64);
            prop_assert_eq!(sum, of(&all));
        }

        #[test]
        fn a_quantile_is_the_nearest_rank_of_the_sorted_samples(
            mut samples in prop::collection::vec(0_u64..5000, 1..300), percent in 1_usize..=100,
        ) {
            samples.sort_unstable();
            let rank = (percent * samples.len()).div_ceil(100).max(1);
            let q = percent as f64 / 100.0;
            prop_assert_eq!(of(&samples).quantile(q), Some(samples[rank - 1]));
        }

        #[test]
        fn the_difference_holds_exactly_what_came_later(
            first in prop::collection::vec(0_u64..50, 0..200), later in prop::collection::vec(0_u64..50, 0..200),
        ) {
            let all: Vec<u64> = first.iter().chain(&later).copied().collect();
            prop_assert_eq!(of(&all).since(&of(&first)), of(&later));
        }

        #[test]
        fn a_bucket_is_within_half_a_percent_and_its_own_bucket(us in 0_u64..100_000_000_000) {
            let bucket = three_digits(us);
            prop_assert!((bucket as f64 - us as f64).abs() <= 0.005 * us as f64 + 1e-9);
            prop_assert_eq!(three_digits(bucket), bucket);
        }
    }
}
