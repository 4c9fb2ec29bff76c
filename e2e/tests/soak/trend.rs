//! Whether a series grows.

/// At most this many samples are compared with each other, because every pair is.
const MOST: usize = 400;
/// Kendall's tau below this is no trend: the samples go up about as often as down.
const LEAST_TAU: f64 = 0.3;

/// The slope of Theil and Sen, which a few extreme samples do not change, and Kendall's rank correlation with
/// time. The first fifth of the time does not count, because programs and their allocators grow at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trend {
    pub(crate) mib_per_thousand: f64,
    pub(crate) tau: f64,
}

impl Trend {
    /// `series` has seconds and MiB, and covers a run of `scenarios`.
    pub(crate) fn of(series: &[(f64, f64)], scenarios: usize) -> Self {
        let end = series.last().map_or(0.0, |(at, _)| *at);
        let late: Vec<_> = series.iter().copied().filter(|(at, _)| *at >= end / 5.0).collect();
        let kept: Vec<_> = late.iter().copied().step_by(late.len().div_ceil(MOST).max(1)).collect();
        let (mut slopes, mut balance) = (Vec::new(), 0.0);
        for (number, (at, mib)) in kept.iter().enumerate() {
            for (later, other) in &kept[number + 1..] {
                slopes.push((other - mib) / (later - at));
                balance += if other > mib {
                    1.0
                } else if other < mib {
                    -1.0
                } else {
                    0.0
                };
            }
        }
        if slopes.is_empty() {
            return Self { mib_per_thousand: 0.0, tau: 0.0 };
        }
        let tau = balance / slopes.len() as f64;
        let middle = slopes.len() / 2;
        let (_, slope, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        let seconds_per_thousand = end / scenarios.max(1) as f64 * 1000.0;
        Self { mib_per_thousand: *slope * seconds_per_thousand, tau }
    }

    /// Whether it grows by more than `limit` MiB per 1,000 scenarios, and does so most of the time.
    pub(crate) fn is_growth(&self, limit: f64) -> bool {
        self.mib_per_thousand > limit && self.tau > LEAST_TAU
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,000 s with a sample each, and 1,000 scenarios.
    fn trend(mib: impl Fn(f64) -> f64) -> Trend {
        let series: Vec<_> = (0..1000).map(|at| (f64::from(at), mib(f64::from(at)))).collect();
        Trend::of(&series, 1000)
    }

    #[test]
    fn steady_growth_is_found_below_noise() {
        let noise = |at: f64| (at * 12.9898).sin() * 0.5;
        let growing = trend(|at| 20.0 + 0.003 * at + noise(at));
        assert!((growing.mib_per_thousand - 3.0).abs() < 0.3, "{growing:?}");
        assert!(growing.is_growth(1.0));
        assert!(!trend(|at| 20.0 + noise(at)).is_growth(1.0));
    }

    #[test]
    fn growth_at_the_start_and_single_peaks_are_no_trend() {
        assert!(!trend(|at| 20.0 + (at / 20.0).min(5.0)).is_growth(1.0));
        assert!(!trend(|at| if at > 900.0 && at < 950.0 { 60.0 } else { 20.0 }).is_growth(1.0));
        assert_eq!(Trend::of(&[], 10), Trend { mib_per_thousand: 0.0, tau: 0.0 });
    }
}
