//! How far a percentile can be trusted: confidence intervals that hold in a queue, too.
//!
//! Answers in a queue depend on each other, so the order of the samples says too little. *Sectioning* needs no
//! independence of neighbours: the window is cut into J sections of equal time, q is the percentile of the
//! whole window, `q_j` that of section j, and the half-width of ln q is
//! t(0.975, J−1) · √(Σ(ln `q_j` − ln q)² / (J(J−1))). (Nakayama, *ACM TOMACS* 24(4), 2014; on the logarithm
//! because waiting times are skewed.) `docs/measurement.md` has the measured coverage.

use records::{Histogram, Interval, StoppingRule, nearest_rank};

use super::estimate::samples_needed;
use super::little::mean_wait_s;
use super::student::t_975;

/// The number of sections that a window is cut into. More are worse: they depend on each other.
const SECTIONS: usize = 5;
/// Older records have three.
const FEWEST_SECTIONS: usize = 3;
/// If the mean response time of the primary endpoint is longer than that of all endpoints by this factor, it decides whether
/// the window is long enough.
const MUCH_SLOWER: f64 = 1.5;
/// Mean responses that a window must last before an interval of a percentile below P99 holds.
const RESPONSES: f64 = 10.0;
/// The same for P99 and above.
const RESPONSES_OF_TAIL: f64 = 50.0;

/// Waits that are a smaller share of the response time are those of the load generator itself.
const NO_WAIT: f64 = 0.05;

/// With a think time a closed loop can be near its knee, where a queue remembers longer than a section. This factor
/// brings the coverage there back to 95 %.
const WIDER_WITH_THINK_TIME: f64 = 1.3;

/// A measurement that ends as soon as its interval is narrow ends too often when it is narrow by chance. This factor
/// brings the coverage back to 95 %.
const WIDER_IF_ENDED_EARLY: f64 = 1.5;

/// The percentiles of single runs are skewed. With few replicas they take only a few values: one for each way in which
/// the connections are spread over the replicas. Five runs show less spread than there is. This factor brings the coverage back to 90 %.
const WIDER_OVER_REPEATS: f64 = 1.3;

/// Near capacity in the open model, a queue remembers longer than a section, so that sections differ too little. This
/// factor brings the coverage of the throughput there back to 90 %.
const WIDER_IN_THE_OPEN_MODEL: f64 = 1.35;

/// A confidence interval of 95 %, in the unit of its value: µs for a percentile, requests/s for a throughput.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Why a run has no confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoBounds {
    /// In the open model, a single run cannot tell how long the queue remembers.
    OpenModel,
    /// The window must last at least this long, s.
    TooShort {
        /// Length that would do, s.
        needed_s: f64,
    },
    /// The row did not come to a steady state, or was disturbed.
    NotSteady,
    /// The cuts are not exact: Locust runs without our module.
    Inexact,
    /// There are too few samples.
    TooFewSamples,
    /// The intervals of a run count the primary endpoint only.
    OtherEndpoint,
    /// So many requests failed that the percentile is infinite in a part of the window.
    Failures,
}

impl Bounds {
    /// An interval around a percentile, given on the logarithm. It is never narrower than the percentile's bucket.
    fn around(value_us: f64, half_width: f64, resolution_us: u64) -> Self {
        let bucket = bucket_step(value_us).max(resolution_us as f64) / 2.0;
        Self { low: value_us * (-half_width).exp() - bucket, high: value_us * half_width.exp() + bucket }
    }

    /// An interval around a rate, given on the logarithm. Rates are given with three digits, so it is never narrower than
    /// the third one.
    fn of_rate(value: f64, half_width: f64) -> Self {
        let digit = 10_f64.powf(value.log10().floor() - 2.0) / 2.0;
        // A rate is not negative.
        Self { low: (value * (-half_width).exp() - digit).max(0.0), high: value * half_width.exp() + digit }
    }

    /// Whether a value lies in it.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The distance of two neighbouring buckets of three significant digits.
fn bucket_step(us: f64) -> f64 {
    10_f64.powf(us.max(1.0).log10().floor() - 2.0).max(1.0)
}

/// The 95 % confidence interval of a quantile of the primary endpoint from one run, whose steady intervals
/// these are. It cannot see how connections fell: only repeats can.
///
/// # Errors
/// No method holds for this run.
pub fn bounds_of_run(rule: &StoppingRule, steady: &[Interval], q: f64) -> Result<Bounds, NoBounds> {
    Sections::of(steady).bounds(rule, q)
}

/// The relative width of the sections' spread, whatever it is worth as an interval: a measurement may end once
/// it is narrow.
pub(super) fn relative_width(steady: &[Interval], q: f64) -> Option<f64> {
    let (_, half_width) = Sections::of(steady).quantile(q).ok()?;
    Some(half_width.exp() - (-half_width).exp())
}

/// The steady intervals of a run, cut into sections, with their samples in order. Several quantiles of one run share
/// it, because putting the samples in order takes most of the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sections {
    parts: Vec<Section>,
    window: Section,
    seconds: f64,
    mean_response_s: f64,
    /// Whether the measured wait times show that users wait after their requests.
    has_waits: bool,
}

/// The requests to the primary endpoint in some intervals.
#[derive(Clone, Debug, PartialEq)]
struct Section {
    requests: u64,
    failed: u64,
    /// Response times of the successful ones, µs, each with the number of requests up to it.
    succeeded: Vec<(u64, u64)>,
}

impl Section {
    fn of(intervals: &[Interval]) -> Self {
        let histograms = || intervals.iter().map(Interval::successes);
        let mut succeeded: Vec<(u64, u64)> = histograms().flat_map(Histogram::iter).collect();
        succeeded.sort_unstable_by_key(|(us, _)| *us);
        let mut seen = 0;
        for (_, count) in &mut succeeded {
            seen += *count;
            *count = seen;
        }
        let requests = intervals.iter().map(|interval| interval.primary.count()).sum::<u64>();
        Self { requests, failed: requests.saturating_sub(seen), succeeded }
    }

    /// The quantile, µs, with a failed request as infinitely slow; `None` if it is infinite.
    fn quantile(&self, q: f64) -> Option<u64> {
        let count = self.succeeded.last().map_or(0, |(_, seen)| *seen);
        let rank = nearest_rank(q, count + self.failed);
        let at = self.succeeded.partition_point(|(_, seen)| *seen < rank);
        self.succeeded.get(at).map(|(us, _)| *us)
    }
}

impl Sections {
    /// The sections of these steady intervals.
    pub fn of(steady: &[Interval]) -> Self {
        let mean_response_s = mean_response_s(steady);
        Self {
            parts: parts(steady).map(Section::of).collect(),
            window: Section::of(steady),
            seconds: steady.iter().map(|interval| interval.seconds).sum(),
            mean_response_s,
            has_waits: mean_wait_s(0.0, steady) > NO_WAIT * mean_response_s,
        }
    }

    /// See [`bounds_of_run`].
    ///
    /// # Errors
    /// No method holds for this run.
    pub fn bounds(&self, rule: &StoppingRule, q: f64) -> Result<Bounds, NoBounds> {
        if rule.users.is_none() {
            return Err(NoBounds::OpenModel);
        }
        let needed_s = if q >= 0.99 { RESPONSES_OF_TAIL } else { RESPONSES } * self.mean_response_s;
        if self.seconds < needed_s {
            return Err(NoBounds::TooShort { needed_s });
        }
        let (value_us, half_width) = self.quantile(q)?;
        let near_the_knee = if rule.think_s > 0.0 || self.has_waits { WIDER_WITH_THINK_TIME } else { 1.0 };
        let ended_early = if rule.stop_early_after_s.is_some() { WIDER_IF_ENDED_EARLY } else { 1.0 };
        let wider = f64::max(near_the_knee, ended_early);
        Ok(Bounds::around(value_us, wider * half_width, rule.resolution_us))
    }

    /// The quantile of the window, µs, and the half-width of its logarithm by sectioning.
    fn quantile(&self, q: f64) -> Result<(f64, f64), NoBounds> {
        let count = self.parts.len();
        let Some(t) = t_975(count.saturating_sub(1)).filter(|_| count >= FEWEST_SECTIONS) else {
            return Err(NoBounds::TooFewSamples);
        };
        let fewest = self.parts.iter().map(|section| section.requests).min().unwrap_or(0);
        if self.window.requests < samples_needed(q) || fewest as f64 * (1.0 - q) < 1.0 {
            return Err(NoBounds::TooFewSamples);
        }
        let log = |section: &Section| {
            section.quantile(q).map(|us| (us.max(1) as f64).ln()).ok_or(NoBounds::Failures)
        };
        let value = log(&self.window)?;
        let squares = self.parts.iter().map(|section| Ok((log(section)? - value).powi(2)));
        let sum: f64 = squares.sum::<Result<f64, NoBounds>>()?;
        let count = count as f64;
        Ok((value.exp(), t * (sum / (count * (count - 1.0))).sqrt()))
    }
}

/// The mean response time that the window must be long for, s; infinite without a request. Many fast requests to other
/// endpoints do not make the window long enough for a slow primary one. A few, such as health checks, change little.
fn mean_response_s(steady: &[Interval]) -> f64 {
    // Not of their sum: to merge the histograms takes longer than to read them.
    let mean_s = |requests: fn(&Interval) -> u64, total_ms: fn(&Interval) -> f64| {
        let requests: u64 = steady.iter().map(requests).sum();
        (requests > 0).then(|| steady.iter().map(total_ms).sum::<f64>() / 1000.0 / requests as f64)
    };
    let Some(of_all) = mean_s(|one| one.requests, |one| one.total_ms) else { return f64::INFINITY };
    let of_primary = mean_s(|one| one.primary.count(), |one| one.primary.total_ms()).unwrap_or(0.0);
    if of_primary > MUCH_SLOWER * of_all { of_primary } else { of_all }
}

/// The intervals of each of five to nine sections of equal length. Intervals at the beginning that do not fill a section
/// are left out.
fn parts(steady: &[Interval]) -> std::slice::Chunks<'_, Interval> {
    let per_section = (steady.len() / SECTIONS).max(1);
    let left_out = steady.len() % per_section;
    steady[left_out..].chunks(per_section)
}

/// The 95 % confidence interval of the successful requests per second of one run, from the sections of its window.
///
/// # Errors
/// There are fewer sections than the method needs.
pub fn bounds_of_goodput(steady: &[Interval]) -> Result<Bounds, NoBounds> {
    let goodput = |part: &[Interval]| match part {
        [only] => only.goodput(),
        several => Interval::sum(several).goodput(),
    };
    let rates: Vec<f64> = parts(steady).map(goodput).collect();
    if rates.len() < FEWEST_SECTIONS {
        return Err(NoBounds::TooFewSamples);
    }
    let (value, half_width) = students_interval(&rates)?;
    let is_open = steady.iter().any(|interval| interval.arrivals.is_some());
    Ok(Bounds::of_rate(value, if is_open { WIDER_IN_THE_OPEN_MODEL } else { 1.0 } * half_width))
}

/// The 95 % confidence interval of a percentile over repeats, µs: [`rate_over_repeats`], 1.3 times as wide.
///
/// # Errors
/// As [`rate_over_repeats`].
pub fn percentile_over_repeats(values_us: &[f64]) -> Result<Bounds, NoBounds> {
    let (value_us, half_width) = students_interval(values_us)?;
    Ok(Bounds::around(value_us, WIDER_OVER_REPEATS * half_width, 1))
}

/// The 95 % confidence interval of a rate over repeats: Student's t on the logarithm. It is about runs of this length:
/// near capacity in the open model, longer runs have longer queues.
///
/// # Errors
/// There are fewer than two repeats, or a value is infinite or not positive.
pub fn rate_over_repeats(values: &[f64]) -> Result<Bounds, NoBounds> {
    let (value, half_width) = students_interval(values)?;
    Ok(Bounds::of_rate(value, half_width))
}

/// The geometric mean, and the half-width of its logarithm.
fn students_interval(values: &[f64]) -> Result<(f64, f64), NoBounds> {
    let t = t_975(values.len().saturating_sub(1)).ok_or(NoBounds::TooFewSamples)?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NoBounds::Failures);
    }
    if values.iter().any(|value| *value <= 0.0) {
        return Err(NoBounds::TooFewSamples);
    }
    let count = values.len() as f64;
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Ok((mean.exp(), t * (variance / count).sqrt()))
}

/// How many repeats in all would make the interval of these as narrow as `half_width` on the logarithm, if their
/// deviation stays the same; `None` if more than `most`.
pub fn repeats_for(bounds: Bounds, repeats: usize, half_width: f64, most: usize) -> Option<usize> {
    let t = t_975(repeats.saturating_sub(1))?;
    let deviation = (bounds.high / bounds.low).ln() / 2.0 / t * (repeats as f64).sqrt();
    (repeats + 1..=most)
        .find(|count| t_975(count - 1).is_some_and(|t| t * deviation / (*count as f64).sqrt() <= half_width))
}

#[cfg(test)]
mod tests {
    use super::super::steady::tests::{closed, interval};
    use super::*;
    use proptest::prelude::*;

    fn near(bounds: Bounds, low: f64, high: f64) -> bool {
        (bounds.low / low - 1.0).abs() < 1e-3 && (bounds.high / high - 1.0).abs() < 1e-3
    }

    #[test]
    fn sectioning_is_that_of_the_formula() {
        let sections = [90, 95, 100, 105, 110].map(|ms| interval(100, ms));
        // Σ(ln q_j − ln q)² = 0.02519; 2.776 · √(0.02519 / 20) = 0.0985; half a bucket is 0.5 ms.
        let bounds = bounds_of_run(&closed(), &sections, 0.5).unwrap();
        assert!(near(bounds, 90_618.0 - 500.0, 110_354.0 + 500.0), "{bounds:?}");
        assert!(bounds.holds(100_000.0) && !bounds.holds(120_000.0));
    }

    #[test]
    fn a_constant_time_is_known_to_its_bucket() {
        let bounds = bounds_of_run(&closed(), &vec![interval(100, 100); 5], 0.95).unwrap();
        assert!(near(bounds, 99_500.0, 100_500.0), "{bounds:?}");
    }

    #[test]
    fn there_is_no_interval_if_no_method_holds() {
        let open = StoppingRule { users: None, ..closed() };
        let steady = vec![interval(1000, 100); 5];
        assert_eq!(bounds_of_run(&open, &steady, 0.95), Err(NoBounds::OpenModel));
        // 50 s are ten responses of 5 s, and P99 needs forty.
        let slow = vec![interval(1000, 5000); 5];
        assert!(bounds_of_run(&closed(), &slow, 0.95).is_ok());
        assert_eq!(bounds_of_run(&closed(), &slow, 0.99), Err(NoBounds::TooShort { needed_s: 250.0 }));
        assert_eq!(bounds_of_run(&closed(), &vec![interval(19, 100); 5], 0.95), Err(NoBounds::TooFewSamples));
        assert_eq!(bounds_of_run(&closed(), &steady[..2], 0.95), Err(NoBounds::TooFewSamples));
        let mut failing = steady;
        failing[2].succeeded = Some(Histogram::of_ms([(100, 900)]));
        assert_eq!(bounds_of_run(&closed(), &failing, 0.95), Err(NoBounds::Failures));
    }

    /// Nine of ten requests take no time, and the primary one 3 s: 20 s are too short for it.
    #[test]
    fn fast_requests_of_other_endpoints_do_not_make_a_window_long_enough() {
        let steady: Vec<Interval> = (0..5)
            .map(|_| Interval { seconds: 4.0, requests: 800, total_ms: 240_000.0, ..interval(80, 3000) })
            .collect();
        let bounds = bounds_of_run(&closed(), &steady, 0.95);
        assert!(matches!(bounds, Err(NoBounds::TooShort { needed_s }) if needed_s >= 20.0), "{bounds:?}");
    }

    #[test]
    fn repeats_have_students_interval_on_the_logarithm() {
        // ln: mean ln 110, deviation 0.0953; 4.303 · 0.0953 / √3 = 0.2368.
        let bounds = rate_over_repeats(&[100.0, 110.0, 121.0]).unwrap();
        // And half of the third digit.
        assert!(near(bounds, 86.31, 139.89), "{bounds:?}");
        assert_eq!(rate_over_repeats(&[100.0]), Err(NoBounds::TooFewSamples));
        assert_eq!(rate_over_repeats(&[100.0, 0.0]), Err(NoBounds::TooFewSamples));
        assert_eq!(percentile_over_repeats(&[100.0, f64::INFINITY]), Err(NoBounds::Failures));
        // Two that fell into the same bucket are known to that bucket.
        let same = percentile_over_repeats(&[100_000.0, 100_000.0]).unwrap();
        assert!(near(same, 99_500.0, 100_500.0), "{same:?}");
    }

    #[test]
    fn more_repeats_are_recommended_by_students_t() {
        // Two repeats 2 % apart: t falls from 12.7 to 3.2 with two more.
        let bounds = rate_over_repeats(&[100.0, 102.0]).unwrap();
        assert_eq!(repeats_for(bounds, 2, 0.03, 20), Some(4));
        assert_eq!(repeats_for(bounds, 2, 0.000_1, 20), None);
    }

    #[test]
    fn intervals_are_joined_to_five_to_nine_sections_of_equal_length() {
        let counts: Vec<_> = (5..=30).map(|n| (n, Sections::of(&vec![interval(1, 1); n]).parts)).collect();
        for (intervals, sections) in counts {
            let count = sections.len();
            assert!((5..=9).contains(&count), "{intervals} intervals give {count} sections");
            assert!(sections.iter().all(|section| section.requests == sections[0].requests));
        }
    }

    proptest! {
        #[test]
        fn the_value_lies_in_its_interval(times in prop::collection::vec(1_u64..5000, 5..20), q in 0.05_f64..0.95) {
            let steady: Vec<_> = times.iter().map(|ms| interval(1000, *ms)).collect();
            if let Ok(bounds) = bounds_of_run(&closed(), &steady, q) {
                let value = Interval::sum(&steady).primary.quantile(q).unwrap();
                prop_assert!(bounds.holds(value as f64), "{value} {bounds:?}");
            }
        }
    }
}
