//! Confidence intervals from the order of independent samples.

use records::Histogram;

use super::binomial::{Level, count_at};

/// Both sides of a 95 % interval.
const LOWER: Level = Level { probability: 0.025, z: -1.959_964 };
const UPPER: Level = Level { probability: 0.975, z: 1.959_964 };

/// The 95 % confidence interval of a quantile, µs, from the order of the samples, of which only `independent` are
/// independent. A side is `None` if the samples do not bound it. (Conover, *Practical Nonparametric Statistics*,
/// 3rd edition, section 3.2.)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(n: u64) -> Histogram {
        (1..=n).map(|us| (us, 1)).collect()
    }

    #[test]
    fn the_interval_is_that_of_the_tables() {
        let all = |histogram: &Histogram, q| bounds(histogram, q, histogram.count().max(1));
        // Median of 10: ranks 2 and 9 hold it with 97.9 %.
        assert_eq!(all(&up_to(10), 0.5), (Some(2), Some(9)));
        // P95 of 100: P(B ≤ 89) = 1.1 %, P(B ≤ 90) = 2.8 %; P(B ≤ 98) = 96.3 %, P(B ≤ 99) = 99.4 %.
        assert_eq!(all(&up_to(100), 0.95), (Some(90), Some(100)));
        // 72 samples do not bound P95 from above: 0.95⁷² = 2.5 %.
        assert_eq!(all(&up_to(72), 0.95).1, Some(72));
        assert_eq!(all(&up_to(71), 0.95).1, None);
        assert_eq!(all(&Histogram::default(), 0.5), (None, None));
    }
}
