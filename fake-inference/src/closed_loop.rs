//! The closed loop of the manifests' locustfile over this server: its throughput and response times by
//! simulation ([`crate::simulation`]).
//!
//! N users send a request each, wait for the answer, and send the next one. Predictions queue for the
//! slots, first come, first served; every other request takes only the client's own time.

pub mod capacity;
pub mod theory;

use crate::profile::Profile;
use crate::simulation::{Load, Request, Service, Simulation, Think};

/// The behaviour of a user.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Share of its requests that are predictions; above 0 and at most 1.
    pub predictions: f64,
    /// Time that each request takes in addition to its service, s.
    pub overhead: f64,
}

/// The predictions that were answered in a window.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Length of the window, s.
    pub seconds: f64,
    /// Response times of the predictions that were answered in the window, s.
    pub responses: Vec<f64>,
}

impl Outcome {
    /// Predictions per second.
    pub fn throughput(&self) -> f64 {
        self.responses.len() as f64 / self.seconds
    }

    /// Mean response time, s.
    pub fn mean(&self) -> f64 {
        self.responses.iter().sum::<f64>() / self.responses.len() as f64
    }

    /// The nearest-rank percentile (`share` from 0 to 1), s; 0 without responses.
    pub fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.responses.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (1..=sorted.len()).find(|&rank| rank as f64 >= share * sorted.len() as f64 - 1e-9);
        rank.and_then(|rank| sorted.get(rank - 1)).copied().unwrap_or(0.0)
    }
}

/// Simulates `users` users of one server with `slots` slots and looks at the last nine tenths of `seconds`.
pub fn simulate(
    service: Service,
    slots: usize,
    users: usize,
    client: Client,
    seconds: f64,
    seed: u64,
) -> Outcome {
    let think = Think::OtherRequests { share: client.predictions, each: client.overhead };
    let simulation = Simulation {
        load: Load::Closed { users, think, ramp: 1.0 },
        slots,
        service,
        warm_up: seconds * 0.1,
        seconds: seconds * 0.9,
        seed,
        ..Simulation::default()
    };
    let trace = simulation.run();
    let window = trace.finished_between(0.0, simulation.seconds);
    Outcome { seconds: simulation.seconds, responses: window.iter().map(Request::response).collect() }
}

/// Simulates the replicas of a profile, one prediction at a time on each: `users` has the number of users of
/// each replica. The outcome is that of all replicas together.
pub fn simulate_replicas(profile: Profile, users: &[usize], client: Client, seconds: f64) -> Outcome {
    let mut all = Outcome::default();
    for (seed, &users) in (1..).zip(users) {
        let outcome = simulate(Service::Measured(profile), 1, users, client, seconds, seed);
        all.seconds = outcome.seconds;
        all.responses.extend(outcome.responses);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREDICT: Client = Client { predictions: 1.0, overhead: 0.0 };

    #[test]
    fn a_constant_service_meets_the_bounds_of_a_closed_loop() {
        for (users, throughput, response) in [(1, 10.0, 0.1), (4, 40.0, 0.1), (12, 40.0, 0.3)] {
            let outcome = simulate(Service::Constant(0.1), 4, users, PREDICT, 100.0, 1);
            assert!((outcome.throughput() / throughput - 1.0).abs() < 0.01, "{users} users");
            assert!((outcome.mean() - response).abs() < 1e-6, "{users} users");
            assert!((outcome.percentile(0.95) - response).abs() < 1e-6, "{users} users");
        }
    }

    #[test]
    fn an_exponential_service_with_one_slot_has_erlang_responses() {
        // 10 users are always in the system, so a response is the sum of 10 services; its cv is 1/√10.
        let outcome = simulate(Service::Exponential(0.1), 1, 10, PREDICT, 20_000.0, 3);
        assert!((outcome.throughput() / 10.0 - 1.0).abs() < 0.02, "{}", outcome.throughput());
        assert!((outcome.mean() - 1.0).abs() < 0.02, "{}", outcome.mean());
        // The 95th percentile of Erlang(10) with mean 1 (chi-square with 20 degrees / 20: 31.41 / 20).
        assert!((outcome.percentile(0.95) - 1.5705).abs() < 0.04, "{}", outcome.percentile(0.95));
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let outcome = Outcome { seconds: 1.0, responses: (1..=100).rev().map(f64::from).collect() };
        assert!((outcome.percentile(0.95) - 95.0).abs() < 1e-12);
        assert!((outcome.percentile(1.0) - 100.0).abs() < 1e-12);
        assert!(Outcome::default().percentile(0.5).abs() < 1e-12);
    }
}
