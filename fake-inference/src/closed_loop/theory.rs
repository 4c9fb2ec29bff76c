//! Queueing theory of a closed loop: N users with mean think time Z, c slots, and mean service time S.
//!
//! *Exponential service* is the machine-repair model M/M/c//N. With n of N users in the system, users
//! arrive at the rate (N − n) / Z and leave at the rate min(n, c) / S. This is a birth-death chain, so
//! p(n + 1) / p(n) is the arrival rate at n divided by the departure rate at n + 1. Throughput
//! X = Σ p(n) min(n, c) / S, and by Little's law R = N / X − Z. Only the mean of the think time matters, not its
//! distribution (Baskett, Chandy, Muntz and Palacios, *J. ACM* 22, 1975: a delay station is insensitive), so
//! this holds for a constant think time, too.
//!
//! *Constant service and think time*: after their first requests the users are spread so that none waits
//! while a slot is free. The loop then meets the asymptotic bounds of every closed loop (Denning and Buzen,
//! *Computing Surveys* 10, 1978): X = min(N / (S + Z), c / S).

/// Throughput and mean response time of a closed loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steady {
    /// Answers per second.
    pub throughput: f64,
    /// Mean time from a request to its answer, s.
    pub response: f64,
}

/// The parameters of a closed loop. Times are in s; the think time must be above 0.
#[derive(Debug, Clone, Copy)]
pub struct Loop {
    /// Number of users, each with at most one request under way.
    pub users: u32,
    /// Number of requests that are served at the same time.
    pub slots: u32,
    /// Mean service time.
    pub service: f64,
    /// Mean time from an answer to the same user's next request.
    pub think: f64,
}

impl Loop {
    /// The loop with exponential service times.
    pub fn exponential(&self) -> Steady {
        let rate = |n: u32| f64::from(n.min(self.slots)) / self.service;
        // Weights of the states, relative to the weight of the empty system.
        let (mut weight, mut sum, mut served) = (1.0, 1.0, 0.0);
        for n in 1..=self.users {
            weight *= f64::from(self.users - n + 1) / self.think / rate(n);
            sum += weight;
            served += weight * rate(n);
            // The weights grow like a factorial, and only their ratios matter, so they can be scaled.
            if weight > 1e100 {
                (weight, sum, served) = (1.0, sum / weight, served / weight);
            }
        }
        self.with(served / sum)
    }

    /// The loop with a constant service time and a constant think time.
    pub fn constant(&self) -> Steady {
        let free = f64::from(self.users) / (self.service + self.think);
        self.with(free.min(f64::from(self.slots) / self.service))
    }

    fn with(&self, throughput: f64) -> Steady {
        Steady { throughput, response: f64::from(self.users) / throughput - self.think }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closed_loop::{Client, simulate};
    use crate::simulation::Service;

    fn near(found: f64, expected: f64, share: f64) {
        assert!((found / expected - 1.0).abs() <= share, "{found}, expected {expected}");
    }

    #[test]
    fn two_machines_and_one_repairer_agree_with_the_result_by_hand() {
        // S = Z = 1: the states weigh 1, 2 and 2, so X = 4/5 and R = 2 / X − 1.
        let two = Loop { users: 2, slots: 1, service: 1.0, think: 1.0 };
        near(two.exponential().throughput, 0.8, 1e-12);
        near(two.exponential().response, 1.5, 1e-12);
    }

    #[test]
    fn without_waiting_the_response_is_the_service_time() {
        let alone = Loop { users: 4, slots: 4, service: 0.2, think: 0.3 };
        for steady in [alone.exponential(), alone.constant()] {
            near(steady.throughput, 8.0, 1e-12);
            near(steady.response, 0.2, 1e-12);
        }
    }

    #[test]
    fn many_users_keep_every_slot_busy() {
        let full = Loop { users: 500, slots: 4, service: 0.2, think: 0.3 };
        for steady in [full.exponential(), full.constant()] {
            near(steady.throughput, 20.0, 1e-9);
            near(steady.response, 500.0 / 20.0 - 0.3, 1e-9);
        }
    }

    #[test]
    fn the_simulation_agrees_with_theory_at_every_load() {
        for users in [1, 4, 8, 12, 24] {
            let at = Loop { users, slots: 4, service: 0.1, think: 0.1 };
            let client = Client { predictions: 1.0, overhead: at.think };
            for (service, steady) in
                [(Service::Exponential(0.1), at.exponential()), (Service::Constant(0.1), at.constant())]
            {
                let simulated = simulate(service, 4, users as usize, client, 4000.0, 5);
                near(simulated.throughput(), steady.throughput, 0.01);
                near(simulated.mean(), steady.response, 0.015);
            }
        }
    }
}
