//! What is simulated: load, replicas, service and connections.

use std::time::Duration;

use crate::profile::Profile;
use crate::service_time::{ServiceTime, Shape};

/// Time after which a request that finds a full queue is answered 503, s.
pub const SHED_SECONDS: f64 = 0.001;

/// A load test that can be simulated. `Simulation::default()` is a small closed one to start from.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Closed or open.
    pub load: Load,
    /// Number of replicas, at least 1.
    pub replicas: usize,
    /// Requests that a replica serves at the same time, at least 1.
    pub slots: usize,
    /// Service time of a request.
    pub service: Service,
    /// How the users are spread over the replicas.
    pub connections: Connections,
    /// Share of served requests, 0 to 1, that fail after their service time.
    pub failures: f64,
    /// Requests that may wait at a replica; any more are shed: they fail after [`SHED_SECONDS`].
    pub queue_limit: usize,
    /// Time from the empty system to time 0 of the trace, s.
    pub warm_up: f64,
    /// Time after the warm-up in which requests are sent, s.
    pub seconds: f64,
    /// The same seed gives the same trace.
    pub seed: u64,
}

/// When users send requests.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Each user sends its next request after the answer to its last one and a think time.
    Closed {
        /// Number of users.
        users: usize,
        /// Time from an answer to the same user's next request.
        think: Think,
        /// Time from the first user's start to the last user's start, s; evenly spaced.
        ramp: f64,
    },
    /// Requests are due at a rate that does not depend on the answers.
    Open {
        /// Requests per second, above 0.
        rate: f64,
        /// How the requests are spaced.
        arrivals: Arrivals,
        /// Number of users: the most requests that can be under way.
        users: usize,
    },
}

/// Time from an answer to the same user's next request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Think {
    /// No time.
    None,
    /// Always this long, s.
    Constant(f64),
    /// Exponential with this mean, s.
    Exponential(f64),
    /// The user sends requests to other endpoints, which take no slot.
    OtherRequests {
        /// Share of its requests that are simulated ones, above 0 and up to 1.
        share: f64,
        /// Time that each request, of either kind, costs the client, s.
        each: f64,
    },
}

/// How the requests of the open model are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Exponential gaps, independent of each other.
    Poisson,
    /// Equal gaps.
    Constant,
}

/// Distribution of the service time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Service {
    /// Always this long, s.
    Constant(f64),
    /// Exponential with this mean, s.
    Exponential(f64),
    /// Log-normal.
    LogNormal {
        /// Mean, s.
        mean: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Of a measured server; depends on the number of requests at the replica.
    Measured(Profile),
}

/// How the users are spread over the replicas. Each user keeps its replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connections {
    /// Each user has a replica at random, as with kube-proxy.
    Random,
    /// Users are dealt to the replicas in turn, so that the numbers of users differ by at most 1.
    Even,
    /// This many users on each replica, in the order of the replicas. If the sum is less than the number of
    /// users, the other users go to the last replica.
    Given(Vec<usize>),
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            load: Load::Closed { users: 8, think: Think::None, ramp: 1.0 },
            replicas: 1,
            slots: 4,
            service: Service::Exponential(0.1),
            connections: Connections::Even,
            failures: 0.0,
            queue_limit: usize::MAX,
            warm_up: 0.0,
            seconds: 60.0,
            seed: 0,
        }
    }
}

impl Load {
    pub(super) fn users(self) -> usize {
        match self {
            Self::Closed { users, .. } | Self::Open { users, .. } => users,
        }
    }
}

impl Service {
    pub(super) fn model(self, seed: u64) -> ServiceTime {
        let fixed = |shape, mean: f64, cv| {
            let mean = Duration::try_from_secs_f64(mean).unwrap_or(Duration::ZERO);
            ServiceTime::new(shape, mean, cv, seed)
        };
        match self {
            Self::Constant(mean) => fixed(Shape::Constant, mean, 0.0),
            Self::Exponential(mean) => fixed(Shape::Exponential, mean, 1.0),
            // cv² = exp(σ²) − 1.
            Self::LogNormal { mean, sigma } => {
                fixed(Shape::LogNormal, mean, libm::sqrt(libm::expm1(sigma * sigma)))
            }
            Self::Measured(profile) => ServiceTime::of_profile(profile, seed),
        }
    }
}
