//! The seam to what makes the load: Locust, or a scripted one in tests.

mod locust;
mod snapshot;
mod stock;
mod web;

use std::time::Duration;

pub use locust::Locust;
pub use snapshot::{Cut, Exception, Failure, Snapshot, State, Worker};

use crate::exit::Result;

/// What load is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// The closed model: each user sends its next request when it has the last answer.
    Closed {
        /// Simulated users.
        users: u32,
        /// Users started per second.
        spawn_rate: f64,
    },
    /// The open model: requests arrive at a rate, however slow the answers are, and their latency
    /// counts from when they were due.
    Open {
        /// Arrivals per second, over all workers.
        rate: f64,
        /// Simulated users: the most requests that are under way at the same time. What arrives
        /// while all are busy waits for one.
        users: u32,
    },
}

impl Load {
    /// Simulated users, which [`Snapshot::is_running`] waits for in either model.
    pub const fn users(self) -> u32 {
        match self {
            Self::Closed { users, .. } | Self::Open { users, .. } => users,
        }
    }
}

/// Something that runs simulated users and counts what they see.
pub trait LoadGenerator {
    /// The cumulative counts as they are known now; cheap enough for every second.
    ///
    /// Each call also pushes the dead-man back: a generator that is not looked at for `deadman`
    /// stops its load by itself.
    fn snapshot(&self, deadman: Duration) -> impl Future<Output = Result<Snapshot>> + Send;

    /// An exact cut: every worker hands over what it has counted until now.
    fn cut(&self, deadman: Duration) -> impl Future<Output = Result<Snapshot>> + Send;

    /// Starts that load against `host`.
    fn start(&self, load: Load, host: &str) -> impl Future<Output = Result<()>> + Send;

    /// Stops the load; returns when the generator has ended its part of it, which is before or after
    /// [`Snapshot::is_idle`] holds. The next start must wait for both.
    fn stop(&self) -> impl Future<Output = Result<()>> + Send;
}
