//! A percentile with what is known of it: how many samples, how far off it may be, and whether the
//! samples are enough to name it at all.

use std::fmt;

use records::{Histogram, ms};

use super::binomial::{Level, count_at};

/// Both sides of a 95 % interval.
const LOWER: Level = Level { probability: 0.025, z: -1.959_964 };
const UPPER: Level = Level { probability: 0.975, z: 1.959_964 };
/// `MLPerf` asks for 99 % confidence that a percentile is not above the value given.
const EARLY: Level = Level { probability: 0.01, z: -2.326_348 };

/// A percentile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Which one, 0 to 1: 0.95 is P95.
    pub q: f64,
    /// Samples behind it.
    pub samples: u64,
    /// The nearest-rank percentile, ms; `None` without samples.
    pub value_us: Option<u64>,
    /// The 95 % confidence interval from order statistics, ms; a side is `None` where the samples
    /// do not bound it.
    pub bounds_us: (Option<u64>, Option<u64>),
    /// The early-stop value, ms: with 99 % confidence the percentile is not above it. `None` with
    /// fewer samples than [`samples_needed`].
    pub early_stop_us: Option<u64>,
}

/// How many samples a percentile needs before it can be named (MLPerf's early stopping): so many
/// that, with 99 % confidence, at least one of them is above it. 459 for P99.
pub fn samples_needed(q: f64) -> u64 {
    let needed = (EARLY.probability.ln() / q.ln()).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is positive")]
    let needed = needed as u64;
    needed.max(1)
}

/// `P95` for 0.95, `P99.9` for 0.999.
pub fn percentile_name(q: f64) -> String {
    // Three decimals are more than any percentile in use has.
    format!("P{}", (q * 100_000.0).round() / 1000.0)
}

impl Estimate {
    /// The percentile `q` (0 to 1) of a histogram.
    ///
    /// The interval has no distribution behind it but the samples' own order: the number of samples below
    /// the percentile is binomial. It takes the samples as independent, which answers to neighbouring
    /// requests in a queue are not quite.
    pub fn of(histogram: &Histogram, q: f64) -> Self {
        let samples = histogram.count();
        // The t largest may be above the percentile: P(at most t of them are) ≤ 1 %.
        let above = count_at(samples, 1.0 - q, EARLY);
        let early_stop = (above > 0).then(|| histogram.at_rank(samples + 1 - above)).flatten();
        Self {
            q,
            samples,
            value_us: histogram.quantile(q),
            bounds_us: bounds(histogram, q, samples),
            early_stop_us: early_stop.filter(|_| samples >= samples_needed(q)),
        }
    }

    /// Whether there are enough samples to name it.
    pub fn is_sampled(&self) -> bool {
        self.samples >= samples_needed(self.q)
    }

    /// Width of the interval over the value; `None` where a side is not bounded.
    pub fn relative_width(&self) -> Option<f64> {
        let (Some(low), Some(high)) = self.bounds_us else { return None };
        let value = (self.value_us? as f64).max(1.0);
        Some((high - low) as f64 / value)
    }
}

/// The 95 % confidence interval of a percentile, ms, from the order of the samples, of which only
/// `independent` are: neighbours in a queue wait for the same requests, and say the same again.
pub(super) fn bounds(histogram: &Histogram, q: f64, independent: u64) -> (Option<u64>, Option<u64>) {
    let samples = histogram.count();
    // X(l) with P(fewer than l below) ≤ 2.5 %, and X(u) with P(u or more below) ≤ 2.5 %.
    let (low, high) = (count_at(independent, q, LOWER), count_at(independent, q, UPPER) + 1);
    let at = |rank: u64| {
        let bounded = (1..=independent).contains(&rank);
        bounded.then(|| histogram.at_rank((rank * samples).div_ceil(independent))).flatten()
    };
    (at(low), at(high))
}

impl fmt::Display for Estimate {
    /// The value, or `n/a (n<459)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value_us {
            Some(value) if self.is_sampled() => f.write_str(&ms(value)),
            _ => write!(f, "n/a (n<{})", samples_needed(self.q)),
        }
    }
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

    fn up_to(n: u64) -> Histogram {
        of(&(1..=n).collect::<Vec<_>>())
    }

    #[test]
    fn the_sample_counts_are_those_of_mlperf() {
        for (q, needed) in [(0.90, 44), (0.95, 90), (0.99, 459), (0.999, 4603)] {
            assert_eq!(samples_needed(q), needed, "{q}");
            // One fewer could all lie below the percentile with more than 1 % probability.
            let n = f64::from(u32::try_from(needed).unwrap());
            assert!(q.powf(n) <= 0.01 && q.powf(n - 1.0) > 0.01, "{q}");
        }
    }

    #[test]
    fn one_sample_too_few_is_not_available() {
        assert_eq!(Estimate::of(&up_to(458), 0.99).to_string(), "n/a (n<459)");
        assert_eq!(Estimate::of(&up_to(458), 0.99).early_stop_us, None);
        assert_eq!(Estimate::of(&up_to(459), 0.99).to_string(), "0.455");
        assert_eq!(Estimate::of(&up_to(459), 0.99).early_stop_us, Some(459), "none may be left out");
        assert_eq!(Estimate::of(&Histogram::default(), 0.95).to_string(), "n/a (n<90)");
    }

    #[test]
    fn early_stopping_leaves_out_as_many_as_mlperf_allows() {
        // 662 samples are the fewest that may leave one out at P99: P(at most 1 of 662 above) ≤ 1 %.
        let at_most_one = |n: f64| 0.99_f64.powf(n) + n * 0.01 * 0.99_f64.powf(n - 1.0);
        assert!(at_most_one(662.0) <= 0.01 && at_most_one(661.0) > 0.01);
        assert_eq!(Estimate::of(&up_to(661), 0.99).early_stop_us, Some(661));
        assert_eq!(Estimate::of(&up_to(662), 0.99).early_stop_us, Some(661));
    }

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Median of 10: ranks 2 and 9 hold it with 97.9 %.
        let median = Estimate::of(&up_to(10), 0.5);
        assert_eq!(median.bounds_us, (Some(2), Some(9)));
        // P95 of 100: P(B ≤ 89) = 1.1 %, P(B ≤ 90) = 2.8 %; P(B ≤ 98) = 96.3 %, P(B ≤ 99) = 99.4 %.
        assert_eq!(Estimate::of(&up_to(100), 0.95).bounds_us, (Some(90), Some(100)));
        // 72 samples do not bound P95 from above: 0.95⁷² = 2.5 %.
        assert_eq!(Estimate::of(&up_to(72), 0.95).bounds_us.1, Some(72));
        assert_eq!(Estimate::of(&up_to(71), 0.95).bounds_us.1, None);
        assert_eq!(Estimate::of(&Histogram::default(), 0.5).bounds_us, (None, None));
    }

    #[test]
    fn names_are_those_in_use() {
        let names: Vec<_> = [0.5, 0.9, 0.95, 0.99, 0.999].map(percentile_name).to_vec();
        assert_eq!(names, ["P50", "P90", "P95", "P99", "P99.9"]);
    }

    /// Uniform samples on 0..1000 from a small generator, so that the true percentile is known.
    fn draw(seed: u64, n: usize) -> Histogram {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let samples: Vec<u64> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % 100_000
        })
        .take(n)
        .collect();
        of(&samples)
    }

    #[test]
    fn the_interval_holds_the_percentile_as_often_as_it_says() {
        let held = (1..=2000_u64)
            .filter(|seed| {
                let (low, high) = Estimate::of(&draw(*seed, 200), 0.95).bounds_us;
                low.is_some_and(|low| low <= 95_000) && high.is_some_and(|high| high >= 95_000)
            })
            .count();
        // At least 95 % by construction (97 % with whole ranks); four standard errors of 2000 draws are 1.5 %.
        assert!((1870..=1985).contains(&held), "{held} of 2000");
    }

    #[test]
    fn the_early_stop_value_is_exceeded_as_rarely_as_it_says() {
        let exceeded = (1..=2000_u64)
            .filter(|seed| Estimate::of(&draw(*seed, 500), 0.99).early_stop_us.is_some_and(|ms| ms < 99_000))
            .count();
        assert!(exceeded <= 38, "{exceeded} of 2000 are more than 1 % and four standard errors");
    }

    proptest! {
        #[test]
        fn the_value_lies_in_its_interval_and_below_the_early_stop(
            samples in prop::collection::vec(0_u64..5000, 1..600), percent in 1_u32..100,
        ) {
            let estimate = Estimate::of(&of(&samples), f64::from(percent) / 100.0);
            let value = estimate.value_us.unwrap();
            prop_assert!(estimate.bounds_us.0.is_none_or(|low| low <= value));
            prop_assert!(estimate.bounds_us.1.is_none_or(|high| high >= value));
            prop_assert!(estimate.early_stop_us.is_none_or(|early| early >= value));
            prop_assert_eq!(estimate.early_stop_us.is_some(), estimate.is_sampled());
        }

        #[test]
        fn more_of_the_same_samples_never_widen_the_interval(
            samples in prop::collection::vec(1_u64..1000, 100..200),
        ) {
            let once = Estimate::of(&of(&samples), 0.9);
            let often = Estimate::of(&of(&samples.repeat(16)), 0.9);
            if let (Some(wide), Some(narrow)) = (once.relative_width(), often.relative_width()) {
                prop_assert!(narrow <= wide + 1e-9, "{} {}", narrow, wide);
            }
        }
    }
}
