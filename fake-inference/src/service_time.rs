//! The service time of the n-th request, and whether it fails: pure functions of (seed, n).
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
//! n is the number of requests whose service began before, so a refused request uses no draw.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::profile::Profile;
use crate::random::Stream;

/// Upper limit of a service time: longer draws are cut to it.
pub const LONGEST: Duration = Duration::from_hours(1);

/// The shape of the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Every request takes the mean
    Constant,
    /// Memoryless: many short times, a few long ones; cv is 1
    Exponential,
    /// Like many real services: never near 0; `--service-cv` sets how heavy its tail is
    LogNormal,
}

/// A service-time model.
#[derive(Debug, Clone)]
pub struct ServiceTime {
    distribution: Distribution,
    stream: Stream,
}

#[derive(Debug, Clone, Copy)]
enum Distribution {
    /// Shape, mean in seconds, and coefficient of variation, which only the log-normal uses.
    Fixed(Shape, f64, f64),
    /// Log-normal; mean and coefficient of variation depend on the number in the system.
    Measured(Profile),
}

impl ServiceTime {
    /// A model with the given mean and, for the log-normal, coefficient of variation.
    pub fn new(shape: Shape, mean: Duration, cv: f64, seed: u64) -> Self {
        Self {
            distribution: Distribution::Fixed(shape, mean.as_secs_f64(), cv),
            stream: Stream::new(seed, 1),
        }
    }

    /// The model of a measured server.
    pub fn of_profile(profile: Profile, seed: u64) -> Self {
        Self { distribution: Distribution::Measured(profile), stream: Stream::new(seed, 1) }
    }

    /// The service time of the n-th request, which holds a slot for that time. `inside` is the number in
    /// the system when its service begins: requests in service or waiting, itself included. Only a
    /// profile uses it.
    pub fn draw(&self, n: u64, inside: usize) -> Duration {
        let (shape, mean, cv) = match self.distribution {
            Distribution::Fixed(shape, mean, cv) => (shape, mean, cv),
            Distribution::Measured(profile) => {
                let point = profile.at(inside);
                (Shape::LogNormal, point.mean, point.cv)
            }
        };
        let u1 = self.stream.unit(n.wrapping_mul(2));
        let u2 = self.stream.unit(n.wrapping_mul(2).wrapping_add(1));
        let seconds = match shape {
            Shape::Constant => mean,
            Shape::Exponential => -mean * libm::log(1.0 - u1),
            // Not exp(ln m + …), because a mean of 0 has no logarithm.
            Shape::LogNormal => {
                let z = libm::sqrt(-2.0 * libm::log(1.0 - u1)) * libm::cos(TAU * u2);
                let sigma = libm::sqrt(libm::log(1.0 + cv * cv));
                mean * libm::exp(sigma * z - sigma * sigma / 2.0)
            }
        };
        Duration::try_from_secs_f64(seconds).map_or(LONGEST, |drawn| drawn.min(LONGEST))
    }
}

/// Decides which requests fail.
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
    /// A right mean is further off than this in one case of 500 million.
    const STANDARD_ERRORS: f64 = 6.0;

    fn mean_of(model: &ServiceTime) -> f64 {
        let total: f64 = (0..DRAWS).map(|n| model.draw(n, 1).as_secs_f64()).sum();
        total / DRAWS as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_constant_service_time_is_always_the_mean(seed: u64, ms in 0_u64..10_000, n: u64) {
            let mean = Duration::from_millis(ms);
            prop_assert_eq!(ServiceTime::new(Shape::Constant, mean, 1.0, seed).draw(n, 1), mean);
        }

        #[test]
        fn an_exponential_service_time_has_its_mean(seed: u64, ms in 1_u64..10_000) {
            let mean = Duration::from_millis(ms);
            let model = ServiceTime::new(Shape::Exponential, mean, 0.0, seed);
            let error = mean.as_secs_f64() / (DRAWS as f64).sqrt();
            let off = (mean_of(&model) - mean.as_secs_f64()).abs();
            prop_assert!(off < STANDARD_ERRORS * error, "off by {} standard errors", off / error);
        }

        #[test]
        fn a_log_normal_service_time_has_its_mean(seed: u64, ms in 1_u64..10_000, cv in 0.1..1.0) {
            let mean = Duration::from_millis(ms);
            let model = ServiceTime::new(Shape::LogNormal, mean, cv, seed);
            let error = cv * mean.as_secs_f64() / (DRAWS as f64).sqrt();
            let off = (mean_of(&model) - mean.as_secs_f64()).abs();
            prop_assert!(off < STANDARD_ERRORS * error, "off by {} standard errors", off / error);
        }

        #[test]
        fn failures_have_the_rate_that_was_asked_for(seed: u64, rate in 0.05..0.95) {
            let failures = Failures::new(rate, seed);
            let hits = (0..DRAWS).filter(|&n| failures.hits(n)).count() as f64;
            let error = (rate * (1.0 - rate) / DRAWS as f64).sqrt();
            let off = (hits / DRAWS as f64 - rate).abs();
            prop_assert!(off < STANDARD_ERRORS * error, "off by {} standard errors", off / error);
        }

        #[test]
        fn failure_rates_0_and_1_are_exact(seed: u64, n: u64) {
            prop_assert!(!Failures::new(0.0, seed).hits(n));
            prop_assert!(Failures::new(1.0, seed).hits(n));
        }
    }

    #[test]
    fn a_log_normal_service_time_has_its_coefficient_of_variation() {
        let model = ServiceTime::new(Shape::LogNormal, Duration::from_secs(1), 0.5, 7);
        let draws: Vec<f64> = (0..100_000).map(|n| model.draw(n, 1).as_secs_f64()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        let cv = variance.sqrt() / mean;
        assert!((0.49..0.51).contains(&cv), "{cv}");
    }

    #[test]
    fn the_same_seed_gives_the_same_draws_and_another_seed_other_draws() {
        let model = |seed| ServiceTime::new(Shape::LogNormal, Duration::from_secs(1), 1.0, seed);
        assert_eq!(model(3).draw(41, 1), model(3).draw(41, 1));
        assert_ne!(model(3).draw(41, 1), model(4).draw(41, 1));
        assert_ne!(model(3).draw(41, 1), model(3).draw(42, 1));
    }

    #[test]
    fn a_draw_is_at_most_the_longest_and_a_mean_of_0_gives_0() {
        let very_long = ServiceTime::new(Shape::Exponential, Duration::from_hours(9000), 1.0, 0);
        assert!((0..1000).all(|n| very_long.draw(n, 1) <= LONGEST));
        for shape in [Shape::Constant, Shape::Exponential, Shape::LogNormal] {
            assert_eq!(ServiceTime::new(shape, Duration::ZERO, 1.0, 0).draw(5, 1), Duration::ZERO);
        }
    }
}
