//! Quantiles of the binomial distribution: how many of n samples lie below a percentile.

/// Up to here the distribution is summed term by term; beyond, the normal approximation with
/// continuity correction differs from it by less than one rank in a thousand.
const EXACT_UP_TO: u64 = 100_000;

/// A probability with the standard normal quantile that belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub probability: f64,
    pub z: f64,
}

/// The smallest k for which at most k of `n` trials succeed with at least the level's probability,
/// each trial succeeding with probability `q`.
pub(super) fn count_at(n: u64, q: f64, level: Level) -> u64 {
    if n > EXACT_UP_TO { approximate(n, q, level.z) } else { exact(n, q, level.probability) }
}

fn exact(n: u64, q: f64, probability: f64) -> u64 {
    // In logarithms: the first terms are far below the smallest float.
    let odds = (q / (1.0 - q)).ln();
    let mut term = n as f64 * (1.0 - q).ln();
    let mut sum = 0.0;
    for k in 0..n {
        sum += term.exp();
        if sum >= probability {
            return k;
        }
        term += ((n - k) as f64 / (k + 1) as f64).ln() + odds;
    }
    n
}

/// The normal approximation of de Moivre and Laplace; for order statistics see Conover, *Practical
/// Nonparametric Statistics*, 3rd edition, section 3.2.
fn approximate(n: u64, q: f64, z: f64) -> u64 {
    let (count, n_float) = (n, n as f64);
    let k = (n_float * q + z * (n_float * q * (1.0 - q)).sqrt() - 0.5).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=n")]
    let k = k.clamp(0.0, n_float) as u64;
    k.min(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOW: Level = Level { probability: 0.025, z: -1.959_964 };
    const HIGH: Level = Level { probability: 0.975, z: 1.959_964 };

    #[test]
    fn small_cases_are_those_of_the_tables() {
        // Binomial(10, 1/2): P(≤ 1) = 11/1024 = 0.0107, P(≤ 2) = 56/1024 = 0.0547.
        assert_eq!(exact(10, 0.5, 0.010), 1);
        assert_eq!(exact(10, 0.5, 0.011), 2);
        assert_eq!(exact(10, 0.5, 0.054), 2);
        // Binomial(3, 0.9): P(≤ 2) = 1 - 0.729.
        assert_eq!(exact(3, 0.9, 0.270), 2);
        assert_eq!(exact(3, 0.9, 0.272), 3);
    }

    #[test]
    fn the_approximation_meets_the_exact_sum_where_it_takes_over() {
        for q in [0.5, 0.9, 0.95, 0.99, 0.999] {
            for level in [LOW, HIGH] {
                let (sum, normal) = (exact(100_000, q, level.probability), approximate(100_000, q, level.z));
                assert!(sum.abs_diff(normal) <= 2, "{q}: {sum} {normal}");
            }
        }
    }

    proptest! {
        #[test]
        fn more_probability_is_never_a_smaller_count(n in 1_u64..2000, q in 0.01_f64..0.999) {
            let (low, high) = (count_at(n, q, LOW), count_at(n, q, HIGH));
            prop_assert!(low <= high && high <= n);
            prop_assert!(low as f64 <= n as f64 * q + 1.0 && high as f64 >= (n as f64 * q).floor());
        }
    }
}
