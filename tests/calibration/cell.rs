//! What is simulated, and how long it is measured.

use fake_inference::simulation::{Arrivals, Connections, Load, Service, Simulation, Think};
use locust_matrix::config::pool_for;

/// Mean service time of every cell, s.
const SERVICE_S: f64 = 0.1;
/// Requests that a replica serves at the same time.
const SLOTS: usize = 4;

/// The service times that are simulated, all with the same mean.
pub(crate) const SERVICES: [(&str, Service); 3] = [
    ("constant", Service::Constant(SERVICE_S)),
    ("exponential", Service::Exponential(SERVICE_S)),
    ("log-normal", Service::LogNormal { mean: SERVICE_S, sigma: 0.62 }),
];

/// One simulated load test, which is measured again and again with other random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// What distinguishes it, for the table.
    pub(crate) name: String,
    /// What a good method does with it.
    pub(crate) kind: Kind,
    /// The load and the service. Length and seed are set by each measurement.
    pub(crate) simulation: Simulation,
    /// The window that is asked for, s.
    pub(crate) duration_s: f64,
    /// Whether the measurement may end early.
    pub(crate) until_stable: bool,
    /// Number of measurements behind one interval.
    pub(crate) repeats: u32,
    /// How the service changes while it is measured.
    pub(crate) change: Change,
}

/// What a good method does with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The service does not change, and the measurement begins in its steady state: VALID, and the printed intervals
    /// hold the truth.
    Stationary,
    /// One run with connections at random. Its interval cannot know how another run's connections would fall.
    UnseenConnections,
    /// The system is empty when the measurement begins.
    ColdStart,
    /// The rate is above the capacity: OVERLOADED.
    Overloaded,
    /// The service changes: UNSTABLE, or VALID with a window after the change.
    Changing,
    /// The service sheds load, or one replica gets more than the others.
    Faulty,
}

/// How the service changes while it is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// Not at all.
    Never,
    /// In the middle of the duration its service time is multiplied by this factor.
    SlowsDown(f64),
    /// Its service time is this factor longer at first, and the excess falls exponentially.
    WarmsUp {
        /// Service time at the beginning, as a multiple of that of the warm service.
        factor: f64,
        /// Time in which the excess falls to 37 %, as a share of the duration.
        time: f64,
    },
}

impl Cell {
    /// Users that wait for their answers and then think for an exponential time with this mean, s.
    pub(crate) fn closed(replicas: usize, users: usize, think_s: f64, service: (&str, Service)) -> Self {
        let think = if think_s > 0.0 { Think::Exponential(think_s) } else { Think::None };
        // The window opens some seconds after the last user's start, as the driver's does.
        let load = Load::Closed { users, think, ramp: 2.0 };
        let thinking = if think_s > 0.0 { format!(", think time {think_s:.0} s") } else { String::new() };
        let name = format!("closed, {}, {replicas} × {SLOTS} slots, {users} users{thinking}", service.0);
        Self::of(name, load, 10.0, replicas, service.1)
    }

    /// Requests at this share of the capacity.
    pub(crate) fn open(replicas: usize, utilization: f64, service: (&str, Service)) -> Self {
        let rate = utilization * (SLOTS * replicas) as f64 / SERVICE_S;
        let pool = pool_for(rate, 1);
        let load = Load::Open { rate, arrivals: Arrivals::Poisson, users: pool as usize };
        let name = format!("open, {}, {replicas} × {SLOTS} slots, load {utilization}", service.0);
        // A queue near capacity needs minutes to reach its steady state.
        let warm_up = if (0.75..1.0).contains(&utilization) { 100.0 } else { 10.0 };
        let kind = if utilization > 1.0 { Kind::Overloaded } else { Kind::Stationary };
        Self { kind, ..Self::of(name, load, warm_up, replicas, service.1) }
    }

    fn of(name: String, load: Load, warm_up: f64, replicas: usize, service: Service) -> Self {
        let simulation =
            Simulation { load, replicas, slots: SLOTS, service, warm_up, ..Simulation::default() };
        Self {
            name,
            kind: Kind::Stationary,
            simulation,
            duration_s: 20.0,
            until_stable: false,
            repeats: 1,
            change: Change::Never,
        }
    }

    /// The same with a window of this length, s.
    pub(crate) fn window(self, duration_s: f64) -> Self {
        Self { duration_s, ..self }
    }

    /// The same, but the measurement may end early.
    pub(crate) fn until_stable(self) -> Self {
        Self { name: format!("{}, until stable", self.name), until_stable: true, ..self }
    }

    /// The same with connections at random.
    pub(crate) fn random(mut self) -> Self {
        self.simulation.connections = Connections::Random;
        let kind = if self.repeats == 1 && self.simulation.replicas > 1 && !self.is_open() {
            Kind::UnseenConnections
        } else {
            self.kind
        };
        Self { name: format!("{}, random connections", self.name), kind, ..self }
    }

    /// The same with this many measurements for one interval.
    pub(crate) fn repeats(self, repeats: u32) -> Self {
        Self { name: format!("{}, {repeats} repeats", self.name), repeats, ..self }
    }

    /// The same from an empty system.
    pub(crate) fn cold(mut self) -> Self {
        self.simulation.warm_up = 2.0;
        Self { name: format!("{}, cold start", self.name), kind: Kind::ColdStart, ..self }
    }

    /// The same with a service that changes.
    pub(crate) fn changing(self, change: Change) -> Self {
        let words = match change {
            Change::Never => "never changes".to_owned(),
            Change::SlowsDown(factor) => format!("becomes {factor} × slower in the middle"),
            Change::WarmsUp { factor, time } => {
                format!("{factor} × slower at first, better in {time} windows")
            }
        };
        Self { name: format!("{}, {words}", self.name), kind: Kind::Changing, change, ..self }
    }

    /// The same with a queue of this length at each replica. Any other requests are shed.
    pub(crate) fn sheds(mut self, queue_limit: usize) -> Self {
        self.simulation.queue_limit = queue_limit;
        Self { name: format!("{}, sheds beyond {queue_limit}", self.name), kind: Kind::Faulty, ..self }
    }

    /// The same with this many users on each replica.
    pub(crate) fn split(mut self, users: Vec<usize>) -> Self {
        let name = format!("{}, split {users:?}", self.name);
        self.simulation.connections = Connections::Given(users);
        Self { name, kind: Kind::Faulty, ..self }
    }

    /// Whether it is of the open model.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.simulation.load, Load::Open { .. })
    }

    /// The rate of the open model over the capacity.
    pub(crate) fn utilization(&self) -> Option<f64> {
        match self.simulation.load {
            Load::Open { rate, .. } => Some(rate * SERVICE_S / (SLOTS * self.simulation.replicas) as f64),
            Load::Closed { .. } => None,
        }
    }

    /// The service time at a time of the measurement (s), as a multiple of that of [`Cell::simulation`].
    pub(crate) fn slowness_at(&self, at: f64) -> f64 {
        match self.change {
            Change::Never => 1.0,
            Change::SlowsDown(factor) => {
                if at < self.duration_s / 2.0 {
                    1.0
                } else {
                    factor
                }
            }
            Change::WarmsUp { factor, time } => {
                let excess = (factor - 1.0) * (-at / (time * self.duration_s)).exp();
                if excess < 0.01 { 1.0 } else { 1.0 + excess }
            }
        }
    }
}
