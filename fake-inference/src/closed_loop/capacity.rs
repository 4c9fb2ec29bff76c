//! How many users of a closed loop over several replicas meet an objective for P95, by long simulations.
//!
//! Each user keeps its replica, and has it by chance, as with kube-proxy. So fewer users meet the objective than if the
//! replicas had the same number of them, and how many differs from run to run. The answer is the number at which the
//! logarithm of P95 is on average that of the objective, over many simulated spreads of the connections: that is what
//! the mean of a search's estimates tends to.

use crate::simulation::{Connections, Load, Request, Service, Simulation, Think};

/// A user of the manifests' locustfile: four in five requests are predictions, and each request costs the client some
/// milliseconds.
pub const CLIENT: Think = Think::OtherRequests { share: 0.8, each: 0.004 };
/// Simulated spreads of the connections, and the length of each simulation, s.
const SPREADS: u32 = 60;
const SECONDS: f64 = 60.0;
/// Length of a simulation with a known spread, s.
const LONG_S: f64 = 600.0;
/// The response times are nearly in proportion to the users, so that few steps lead to the objective.
const STEPS: usize = 4;

/// Replicas of a service with users of the manifests' locustfile.
#[derive(Debug, Clone, Copy)]
pub struct Replicas {
    /// Number of replicas, at least 1.
    pub replicas: usize,
    /// Requests that each serves at the same time, at least 1.
    pub slots: usize,
    /// Service time of a request.
    pub service: Service,
    /// Mean of the service time, s.
    pub mean: f64,
}

impl Replicas {
    /// The users whose P95 is `goal` seconds, beyond the knee.
    pub fn carry(&self, goal: f64) -> f64 {
        let mut users = 0.8 * goal / self.mean * (self.slots * self.replicas) as f64;
        for _ in 0..STEPS {
            users *= goal / self.p95(users);
        }
        users
    }

    /// The geometric mean of P95 over the spreads, s. Between whole numbers of users, it is that of both in proportion.
    pub fn p95(&self, users: f64) -> f64 {
        let at = |users: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number above 0"
            )]
            let users = users as usize;
            let one = |seed: u32| self.simulated(users, Connections::Random, SECONDS, seed.into()).ln();
            (0..SPREADS).map(one).sum::<f64>() / f64::from(SPREADS)
        };
        let (below, part) = (users.floor().max(1.0), users - users.floor());
        ((1.0 - part) * at(below) + part * at(below + 1.0)).exp()
    }

    /// P95 with this many users on each replica, s.
    pub fn p95_with(&self, users: &[usize]) -> f64 {
        self.simulated(users.iter().sum(), Connections::Given(users.to_vec()), LONG_S, 0)
    }

    fn simulated(&self, users: usize, connections: Connections, seconds: f64, seed: u64) -> f64 {
        let simulation = Simulation {
            load: Load::Closed { users, think: CLIENT, ramp: 1.0 },
            replicas: self.replicas,
            slots: self.slots,
            service: self.service,
            connections,
            warm_up: 5.0,
            seconds,
            seed,
            ..Simulation::default()
        };
        let trace = simulation.run();
        let mut responses: Vec<f64> =
            trace.finished_between(0.0, seconds).iter().map(Request::response).collect();
        responses.sort_by(f64::total_cmp);
        responses.get(responses.len() * 95 / 100).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(replicas: usize, service: Service) -> Replicas {
        Replicas { replicas, slots: 4, service, mean: 0.05 }
    }

    #[test]
    fn one_replica_carries_what_its_slots_serve_within_the_goal() {
        // 4 slots of 50 ms serve 40 users within 500 ms. The users' other requests make it a little more.
        let one = replicas(1, Service::Constant(0.05)).carry(0.5);
        assert!((40.0..41.5).contains(&one), "{one}");
        let exponential = replicas(1, Service::Exponential(0.05)).carry(0.5);
        assert!((0.7 * one..0.9 * one).contains(&exponential), "{exponential}");
    }

    #[test]
    fn connections_by_chance_cost_a_sixth_of_four_replicas_of_forty_users() {
        let one = replicas(1, Service::Constant(0.05)).carry(0.5);
        let four = replicas(4, Service::Constant(0.05)).carry(0.5) / 4.0;
        assert!((0.80 * one..0.90 * one).contains(&four), "{four}, alone {one}");
    }

    #[test]
    fn p95_is_that_of_the_busiest_replica() {
        // 50 users on 4 slots of 50 ms wait 12.5 times that long.
        let two = replicas(2, Service::Constant(0.05)).p95_with(&[30, 50]);
        assert!((0.60..=0.65).contains(&two), "{two}");
    }
}
