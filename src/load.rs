//! The seam to what makes the load: Locust, or a scripted one in tests.

mod locust;
mod snapshot;

use std::time::Duration;

pub use locust::Locust;
pub use snapshot::{Cut, Exception, Failure, Snapshot, State, Worker};

use crate::exit::Result;

/// Something that runs simulated users and counts what they see.
pub trait LoadGenerator {
    /// The cumulative counts as they are known now; cheap enough for every second.
    ///
    /// Each call also pushes the dead-man back: a generator that is not looked at for `deadman`
    /// stops its load by itself.
    fn snapshot(&self, deadman: Duration) -> impl Future<Output = Result<Snapshot>> + Send;

    /// An exact cut: every worker hands over what it has counted until now.
    fn cut(&self, deadman: Duration) -> impl Future<Output = Result<Snapshot>> + Send;

    /// Starts `users` at `spawn_rate` users/s against `host`.
    fn start(&self, users: u32, spawn_rate: f64, host: &str) -> impl Future<Output = Result<()>> + Send;

    /// Stops the load; returns when the generator has ended its part of it, which is before or after
    /// [`Snapshot::is_idle`] holds. The next start must wait for both.
    fn stop(&self) -> impl Future<Output = Result<()>> + Send;
}
