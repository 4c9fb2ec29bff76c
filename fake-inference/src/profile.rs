//! Service times of measured servers, by name.
//!
//! A simple queue has one throughput when it is busy, and its response times vary less the longer it is.
//! Real servers differ: the one behind `flts-baseline` answers more requests per second with 50 waiting
//! than with 25. So here the service time depends on the *number in the system*: the predictions
//! that are in service or wait when a service begins, itself included. Between the points of a table
//! the mean and the cv are interpolated linearly; outside the table they are those of its ends. The
//! draw is log-normal, as in [`crate::service_time`].
//!
//! `flts-baseline`, one prediction at a time:
//!
//! | in the system | mean | cv |
//! |---|---|---|
//! | up to 5 | 120 ms | 0.18 |
//! | 25 | 118 ms | 0.93 |
//! | 50 and more | 93.5 ms | 0.68 |
//!
//! It reproduces these measurements of 2 replicas in a closed loop without think time. (8 of 10 requests
//! are predictions and the others take nearly no time, so nearly all users are in the system.)
//!
//! | users | `POST /predict` per s | P95 |
//! |---|---|---|
//! | 10 | 16.4 | 686 ms |
//! | 50 | 16.8 | 3,930 ms |
//! | 100 | 21.2 | 5,463 ms |
//!
//! A row gives a point in two steps. With N users on 2 replicas and X predictions per s, the mean is
//! 2 / X. A response is the sum of N / 2 services, so its cv is that of one service divided by
//! √(N / 2); the ratio of P95 to the mean response N / X gives it. The last digits were adjusted with the
//! simulation in [`crate::closed_loop`], which is also the test.

/// A measured server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// The forecaster of the published baseline: 2 replicas serve 16 to 21 predictions/s
    FltsBaseline,
}

/// Service times at one number in the system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Number of predictions in service or waiting.
    pub inside: f64,
    /// Mean service time, s.
    pub mean: f64,
    /// Standard deviation / mean.
    pub cv: f64,
}

const FLTS_BASELINE: [Point; 3] = [
    Point { inside: 5.0, mean: 0.120, cv: 0.18 },
    Point { inside: 25.0, mean: 0.118, cv: 0.93 },
    Point { inside: 50.0, mean: 0.0935, cv: 0.68 },
];

impl Profile {
    /// Number of requests that are served at the same time.
    pub const fn concurrency(self) -> u32 {
        match self {
            Self::FltsBaseline => 1,
        }
    }

    /// The service time at this number in the system.
    pub fn at(self, inside: usize) -> Point {
        let table = match self {
            Self::FltsBaseline => &FLTS_BASELINE,
        };
        let inside = inside as f64;
        let (first, last) = (table[0], table[table.len() - 1]);
        if inside <= first.inside {
            return first;
        }
        let between = table.windows(2).map(|pair| (pair[0], pair[1])).find(|(_, high)| inside <= high.inside);
        between.map_or(last, |(low, high)| {
            let share = (inside - low.inside) / (high.inside - low.inside);
            let mix = |low: f64, high: f64| low + share * (high - low);
            Point { inside, mean: mix(low.mean, high.mean), cv: mix(low.cv, high.cv) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closed_loop::{Client, simulate_replicas};

    #[test]
    fn the_service_time_is_that_of_the_table_and_linear_between_its_points() {
        let at = |inside| Profile::FltsBaseline.at(inside);
        assert_eq!((at(0).mean, at(5).mean, at(50).mean, at(999).mean), (0.120, 0.120, 0.0935, 0.0935));
        assert!((at(15).mean - 0.119).abs() < 1e-12 && (at(15).cv - 0.555).abs() < 1e-12);
    }

    #[test]
    fn the_simulated_baseline_has_the_measured_throughput_and_p95() {
        let client = Client { predictions: 0.8, overhead: 0.004 };
        for (users, throughput, p95) in [(10, 16.4, 0.686), (50, 16.8, 3.930), (100, 21.2, 5.463)] {
            let outcome = simulate_replicas(Profile::FltsBaseline, &[users / 2; 2], client, 4000.0);
            let (x, p) = (outcome.throughput(), outcome.percentile(0.95));
            println!("{users} users: {x:.2}/s for {throughput}, P95 {p:.3} s for {p95}");
            // Live tests allow 10 % and 20 %; a simulation has no noise of a machine.
            assert!((x / throughput - 1.0).abs() < 0.03, "{users} users: {x}/s");
            assert!((p / p95 - 1.0).abs() < 0.03, "{users} users: P95 {p} s");
        }
    }
}
