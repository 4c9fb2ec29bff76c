//! Response times as counts per bucket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many requests took how long: the key is the bucket's response time in ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(pub BTreeMap<u32, u64>);

impl Histogram {
    /// Number of samples.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The nearest-rank percentile in ms: the smallest bucket that at least `share` (0 to 1) of the
    /// samples do not exceed. `None` without samples.
    pub fn percentile(&self, share: f64) -> Option<u32> {
        let count = self.count();
        // The rank as an exact count: a product such as 0.07 × 100 lands a hair above 7.
        let rank = ((share * count as f64) - 1e-9).ceil().max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the count")]
        let rank = rank as u64;
        self.at_rank(rank)
    }

    /// The sample of that rank in ms, 1 being the shortest; `None` where there is no such sample.
    pub fn at_rank(&self, rank: u64) -> Option<u32> {
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

    /// The largest bucket in ms.
    pub fn max(&self) -> Option<u32> {
        self.0.keys().next_back().copied()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(samples: &[u32]) -> Histogram {
        let mut histogram = Histogram::default();
        for sample in samples {
            *histogram.0.entry(*sample).or_default() += 1;
        }
        histogram
    }

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(Histogram::default().percentile(0.5), None);
    }

    #[test]
    fn the_95th_of_a_hundred_is_the_95th() {
        let samples: Vec<u32> = (1..=100).collect();
        let histogram = of(&samples);
        assert_eq!(histogram.percentile(0.95), Some(95));
        assert_eq!(histogram.percentile(0.07), Some(7));
        assert_eq!(histogram.percentile(1.0), Some(100));
        assert_eq!(histogram.percentile(0.0), Some(1));
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_nearest_rank_of_the_sorted_samples(
            mut samples in prop::collection::vec(0_u32..5000, 1..300), percent in 1_usize..=100,
        ) {
            samples.sort_unstable();
            let rank = (percent * samples.len()).div_ceil(100).max(1);
            prop_assert_eq!(of(&samples).percentile(percent as f64 / 100.0), Some(samples[rank - 1]));
        }

        #[test]
        fn the_difference_holds_exactly_what_came_later(
            first in prop::collection::vec(0_u32..50, 0..200), later in prop::collection::vec(0_u32..50, 0..200),
        ) {
            let all: Vec<u32> = first.iter().chain(&later).copied().collect();
            prop_assert_eq!(of(&all).since(&of(&first)), of(&later));
        }
    }
}
