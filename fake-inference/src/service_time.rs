//! How long the n-th request takes, and whether it fails: pure functions of (seed, n).
//!
//! With u, u1, u2 independent and uniform in [0, 1), m the mean and cv the coefficient of
//! variation (standard deviation / mean):
//!
//! | model | service time | source |
//! |---|---|---|
//! | constant | m | |
//! | exponential | −m ln(1 − u) | inverse transform: Devroye, *Non-Uniform Random Variate Generation* (1986), II.2 |
//! | log-normal | exp(μ + σ z), σ² = ln(1 + cv²), μ = ln m − σ²/2 | moments of the log-normal, solved for μ and σ |
//! | | z = √(−2 ln(1 − u1)) cos(2π u2) | Box and Muller, *Annals of Mathematical Statistics* 29 (1958) |
//!
//! A request fails if another uniform number is below the failure rate; u < 0 never holds and
//! u < 1 always does, so the rates 0 and 1 are exact.
//!
//! n counts, from 0, the requests that began to be served: a refused request uses up no draw.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::profile::Profile;
use crate::random::Stream;

/// No request takes longer than this, however unlucky the draw.
pub const LONGEST: Duration = Duration::from_hours(1);

/// The shape of the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Every request takes the mean.
    Constant,
    /// Memoryless: many short ones, a few long ones; cv is 1.
    Exponential,
    /// Like real services: never near 0, a tail as heavy as `--service-cv` says.
    LogNormal,
}

/// A service-time model.
#[derive(Debug, Clone)]
pub struct ServiceTime {
    law: Law,
    stream: Stream,
}

#[derive(Debug, Clone, Copy)]
enum Law {
    /// A mean in seconds, and a coefficient of variation for the log-normal.
    Fixed(Shape, f64, f64),
    /// Log-normal, by the number in the system.
    Measured(Profile),
}

impl ServiceTime {
    /// A model with the given mean and, for the log-normal, coefficient of variation.
    pub fn new(shape: Shape, mean: Duration, cv: f64, seed: u64) -> Self {
        Self { law: Law::Fixed(shape, mean.as_secs_f64(), cv), stream: Stream::new(seed, 1) }
    }

    /// The model of a server that was measured.
    pub fn of_profile(profile: Profile, seed: u64) -> Self {
        Self { law: Law::Measured(profile), stream: Stream::new(seed, 1) }
    }

    /// How long the n-th request holds its slot, if it begins with `inside` in the system: those in
    /// service or waiting, itself included. Only a profile looks at that.
    pub fn draw(&self, n: u64, inside: usize) -> Duration {
        let (shape, mean, cv) = match self.law {
            Law::Fixed(shape, mean, cv) => (shape, mean, cv),
            Law::Measured(profile) => {
                let point = profile.at(inside);
                (Shape::LogNormal, point.mean, point.cv)
            }
        };
        let u1 = self.stream.unit(n.wrapping_mul(2));
        let u2 = self.stream.unit(n.wrapping_mul(2).wrapping_add(1));
        let seconds = match shape {
            Shape::Constant => mean,
            Shape::Exponential => -mean * libm::log(1.0 - u1),
            // Not exp(ln m + …): a mean of 0 has no logarithm.
            Shape::LogNormal => {
                let z = libm::sqrt(-2.0 * libm::log(1.0 - u1)) * libm::cos(TAU * u2);
                let sigma = libm::sqrt(libm::log(1.0 + cv * cv));
                mean * libm::exp(sigma * z - sigma * sigma / 2.0)
            }
        };
        Duration::try_from_secs_f64(seconds).map_or(LONGEST, |drawn| drawn.min(LONGEST))
    }
}

/// Which requests fail.
#[derive(Debug, Clone)]
pub struct Failures {
    rate: f64,
    stream: Stream,
}

impl Failures {
    /// Failures of the given share of requests, 0 to 1.
    pub fn new(rate: f64, seed: u64) -> Self {
        Self { rate, stream: Stream::new(seed, 2) }
    }

    /// Whether the n-th request fails.
    pub fn hits(&self, n: u64) -> bool {
        self.stream.unit(n) < self.rate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DRAWS: u64 = 4000;
    /// One case in 500 million would fail by chance.
    const STANDARD_ERRORS: f64 = 6.0;

    fn mean_of(model: &ServiceTime) -> f64 {
        let total: f64 = (0..DRAWS).map(|n| model.draw(n, 1).as_secs_f64()).sum();
        total / DRAWS as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn constant_is_constant(seed: u64, ms in 0_u64..10_000, n: u64) {
            let mean = Duration::from_millis(ms);
            prop_assert_eq!(ServiceTime::new(Shape::Constant, mean, 1.0, seed).draw(n, 1), mean);
        }

        #[test]
        fn exponential_has_its_mean(seed: u64, ms in 1_u64..10_000) {
            let mean = Duration::from_millis(ms);
            let model = ServiceTime::new(Shape::Exponential, mean, 0.0, seed);
            let error = mean.as_secs_f64() / (DRAWS as f64).sqrt();
            let off = (mean_of(&model) - mean.as_secs_f64()).abs();
            prop_assert!(off < STANDARD_ERRORS * error, "off by {} standard errors", off / error);
        }

        #[test]
        fn log_normal_has_its_mean(seed: u64, ms in 1_u64..10_000, cv in 0.1..1.0) {
            let mean = Duration::from_millis(ms);
            let model = ServiceTime::new(Shape::LogNormal, mean, cv, seed);
            let error = cv * mean.as_secs_f64() / (DRAWS as f64).sqrt();
            let off = (mean_of(&model) - mean.as_secs_f64()).abs();
            prop_assert!(off < STANDARD_ERRORS * error, "off by {} standard errors", off / error);
        }

        #[test]
        fn failures_have_their_rate(seed: u64, rate in 0.05..0.95) {
            let failures = Failures::new(rate, seed);
            let hits = (0..DRAWS).filter(|&n| failures.hits(n)).count() as f64;
            let error = (rate * (1.0 - rate) / DRAWS as f64).sqrt();
            let off = (hits / DRAWS as f64 - rate).abs();
            prop_assert!(off < STANDARD_ERRORS * error, "off by {} standard errors", off / error);
        }

        #[test]
        fn rates_0_and_1_are_exact(seed: u64, n: u64) {
            prop_assert!(!Failures::new(0.0, seed).hits(n));
            prop_assert!(Failures::new(1.0, seed).hits(n));
        }
    }

    #[test]
    fn log_normal_has_its_coefficient_of_variation() {
        let model = ServiceTime::new(Shape::LogNormal, Duration::from_secs(1), 0.5, 7);
        let draws: Vec<f64> = (0..100_000).map(|n| model.draw(n, 1).as_secs_f64()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        let cv = variance.sqrt() / mean;
        assert!((0.49..0.51).contains(&cv), "{cv}");
    }

    #[test]
    fn a_run_can_be_repeated_and_another_seed_is_another_run() {
        let model = |seed| ServiceTime::new(Shape::LogNormal, Duration::from_secs(1), 1.0, seed);
        assert_eq!(model(3).draw(41, 1), model(3).draw(41, 1));
        assert_ne!(model(3).draw(41, 1), model(4).draw(41, 1));
        assert_ne!(model(3).draw(41, 1), model(3).draw(42, 1));
    }

    #[test]
    fn no_draw_is_longer_than_the_longest_and_a_mean_of_0_is_0() {
        let absurd = ServiceTime::new(Shape::Exponential, Duration::from_hours(9000), 1.0, 0);
        assert!((0..1000).all(|n| absurd.draw(n, 1) <= LONGEST));
        for shape in [Shape::Constant, Shape::Exponential, Shape::LogNormal] {
            assert_eq!(ServiceTime::new(shape, Duration::ZERO, 1.0, 0).draw(5, 1), Duration::ZERO);
        }
    }
}
