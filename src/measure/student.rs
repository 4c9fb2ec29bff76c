//! Quantiles of two distributions that tests of few values need.

/// The two-sided 95 % quantile of Student's t with 1 to 30 degrees of freedom (any table).
const T_975: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The 97.5 % quantile of the range of 2 to 20 independent standard normal values (studentized range with
/// infinite degrees of freedom): two tests at this level together reject 5 % of equal values at most.
const RANGE_975: [f64; 19] = [
    3.17, 3.68, 3.98, 4.20, 4.36, 4.49, 4.60, 4.70, 4.78, 4.86, 4.92, 4.99, 5.04, 5.09, 5.14, 5.18, 5.22,
    5.26, 5.30,
];

/// Student's t(0.975) with `degrees` degrees of freedom; `None` for 0.
pub(super) fn t_975(degrees: usize) -> Option<f64> {
    let last = T_975.len() - 1;
    degrees.checked_sub(1).map(|at| T_975[at.min(last)])
}

/// The factor for the range of `values` values, in standard deviations of one of them.
pub(super) fn range_975(values: usize) -> f64 {
    RANGE_975[values.saturating_sub(2).min(RANGE_975.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        assert_eq!((t_975(0), t_975(1), t_975(4), t_975(99)), (None, Some(12.706), Some(2.776), Some(2.042)));
        assert!((range_975(3) - 3.68).abs() < 1e-9 && (range_975(99) - 5.30).abs() < 1e-9);
    }
}
