//! A percentile with the number of samples behind it.

use std::fmt;

use records::{Histogram, ms};

/// The probability that all samples lie below a percentile must not exceed this before it can be named.
const ALL_BELOW: f64 = 0.01;

/// A percentile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Which one, 0 to 1: 0.95 is P95.
    pub q: f64,
    /// Samples behind it.
    pub samples: u64,
    /// The nearest-rank percentile, µs; `None` without samples.
    pub value_us: Option<u64>,
}

/// How many samples a percentile needs before it can be named: with 99 % confidence, at least one of them is above
/// it (Wilks' bound, *Annals of Mathematical Statistics* 12(1), 1941). 90 for P95, 459 for P99.
pub fn samples_needed(q: f64) -> u64 {
    let needed = (ALL_BELOW.ln() / q.ln()).ceil();
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
    pub fn of(histogram: &Histogram, q: f64) -> Self {
        Self { q, samples: histogram.count(), value_us: histogram.quantile(q) }
    }

    /// Whether there are enough samples to name it.
    pub fn is_sampled(&self) -> bool {
        self.samples >= samples_needed(self.q)
    }
}

impl fmt::Display for Estimate {
    /// The value in ms, or `n/a (n<459)`.
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

    fn up_to(n: u64) -> Histogram {
        (1..=n).map(|us| (us, 1)).collect()
    }

    #[test]
    fn the_sample_counts_are_those_of_wilks() {
        for (q, needed) in [(0.90, 44), (0.95, 90), (0.99, 459), (0.999, 4603)] {
            assert_eq!(samples_needed(q), needed, "{q}");
            // One fewer could all lie below the percentile with more than 1 % probability.
            let n = f64::from(u32::try_from(needed).unwrap());
            assert!(f64::powf(q, n) <= 0.01 && f64::powf(q, n - 1.0) > 0.01, "{q}");
        }
    }

    #[test]
    fn one_sample_too_few_is_not_available() {
        assert_eq!(Estimate::of(&up_to(458), 0.99).to_string(), "n/a (n<459)");
        assert_eq!(Estimate::of(&up_to(459), 0.99).to_string(), "0.455");
        assert_eq!(Estimate::of(&Histogram::default(), 0.95).to_string(), "n/a (n<90)");
    }

    #[test]
    fn names_are_those_in_use() {
        let names: Vec<_> = [0.5, 0.9, 0.95, 0.99, 0.999].map(percentile_name).to_vec();
        assert_eq!(names, ["P50", "P90", "P95", "P99", "P99.9"]);
    }
}
