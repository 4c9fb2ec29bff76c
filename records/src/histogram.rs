//! Response times as counts per bucket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many requests took how long. The key is the bucket's response time in µs, with three significant
/// digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(pub BTreeMap<u64, u64>);

impl Histogram {
    /// Counts per response time in whole ms.
    pub fn of_ms(counts: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut histogram = Self::default();
        for (ms, count) in counts {
            *histogram.0.entry(three_digits(ms * 1000)).or_default() += count;
        }
        histogram
    }

    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The nearest-rank quantile in µs: the smallest bucket that at least the share `q` (0 to 1) of the
    /// samples do not exceed. `None` without samples.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        self.at_rank(nearest_rank(q, self.count()))
    }

    /// Several quantiles at once, which go up: see [`Histogram::quantile`].
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> [Option<u64>; N] {
        let count = self.count();
        let mut found = [None; N];
        let (mut seen, mut at) = (0, 0);
        for (bucket, samples) in &self.0 {
            seen += samples;
            while at < N && seen >= nearest_rank(quantiles[at], count) {
                found[at] = Some(*bucket);
                at += 1;
            }
            if at == N {
                break;
            }
        }
        found
    }

    /// The sample of that rank in µs, rank 1 being the shortest; `None` if there is no such sample.
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        let mut seen = 0;
        let found = self.0.iter().find(|(_, samples)| {
            seen += **samples;
            seen >= rank
        });
        found.map(|(bucket, _)| *bucket).filter(|_| rank > 0)
    }

    /// Adds the samples of another histogram.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// The largest bucket in µs.
    pub fn max(&self) -> Option<u64> {
        self.0.keys().next_back().copied()
    }

    /// Sum of all samples, ms, each taken as its bucket.
    pub fn total_ms(&self) -> f64 {
        self.0.iter().map(|(us, count)| *us as f64 / 1000.0 * *count as f64).sum()
    }

    /// The samples that came after `earlier`, a snapshot of the same growing histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.0.iter().filter_map(|(bucket, count)| {
            let new = count.saturating_sub(earlier.0.get(bucket).copied().unwrap_or(0));
            (new > 0).then_some((*bucket, new))
        });
        Self(counts.collect())
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
        let mut histogram = Histogram::default();
        for sample in samples {
            *histogram.0.entry(*sample).or_default() += 1;
        }
        histogram
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

    proptest! {
        #[test]
        fn a_quantile_is_the_nearest_rank_of_the_sorted_samples(
            mut samples in prop::collection::vec(0_u64..5000, 1..300), percent in 1_usize..=100,
        ) {
            samples.sort_unstable();
            let rank = (percent * samples.len()).div_ceil(100).max(1);
            let q = percent as f64 / 100.0;
            prop_assert_eq!(of(&samples).quantile(q), Some(samples[rank - 1]));
            let several = [0.0, q / 2.0, q, 1.0];
            prop_assert_eq!(of(&samples).quantiles(several), several.map(|q| of(&samples).quantile(q)));
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
