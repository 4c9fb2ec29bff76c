//! The load generator as a trait. [`Locust`] implements it; tests use a scripted one.

mod capabilities;
mod locust;
mod script;
mod snapshot;

use std::time::Duration;

pub use capabilities::Capabilities;
pub use locust::Locust;
pub use script::{Left, Script, UserClass};
pub use snapshot::{Counts, Cut, Exception, Failure, Snapshot, State, Worker};

use crate::exit::{Error, Result};
use crate::wait::TimedOut;

/// The load to start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// The closed model: each user sends its next request after the answer to its last one.
    Closed {
        /// Simulated users.
        users: u32,
        /// Users started per second.
        spawn_rate: f64,
    },
    /// The open model: requests arrive at a given rate, however slow the answers are. Their latency counts
    /// from the time when they were due.
    Open {
        /// Arrivals per second, over all workers.
        rate: f64,
        /// Simulated users: the largest number of requests at the same time. If all users are busy, an
        /// arrival waits for one.
        users: u32,
        /// Seed of the random arrivals: the same seed, rate and workers give the same arrivals.
        seed: u64,
    },
}

impl Load {
    /// Simulated users; in both models [`Snapshot::is_running`] compares with this number.
    pub const fn users(self) -> u32 {
        match self {
            Self::Closed { users, .. } | Self::Open { users, .. } => users,
        }
    }
}

/// A state of the load generator that did not come in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// It does not answer.
    Answer,
    /// It does not list exactly this number of idle workers.
    IdleWorkers(u32),
    /// Its workers do not hand over their counts.
    Counts,
    /// Its load does not stop.
    Stopped,
}

/// A program that runs simulated users and counts their requests.
///
/// # Errors
/// An error of a method is no verdict by itself. The conductor (`scenario`) decides:
///
/// | Method | Error | Outcome |
/// |---|---|---|
/// | `capabilities` | any | The run ends with this error before its first scenario. |
/// | `snapshot`, `cut` | before the load and in the ramp | It is asked again until a timeout of the settings. Without any answer, the scenario is disturbed; without all users, it is FAILED. |
/// | `snapshot`, `cut` | in the window | It is asked again. After 10 s without an answer, the scenario is disturbed. |
/// | `cut` | after the stop | It is tried a second time, then the record has no whole run and no errors. |
/// | `start` | exit code 2 or 5 | It cannot run this load: the scenario is FAILED. |
/// | `start` | any other | The scenario is disturbed. |
/// | `stop` | any | It is asked again until the timeout for the stop or [`deadman`](Self::snapshot), then the scenario is disturbed. |
///
/// A cut that is not complete is no error: see [`Snapshot::is_complete_cut`]. A scenario that was disturbed is VOID
/// and is measured again when the load generator answers. If it does not, the run ends with exit code 4.
pub trait LoadGenerator {
    /// Its name for messages, such as `Locust`.
    fn name(&self) -> &'static str;

    /// The product name in the header `User-Agent` of its requests, in lower case. The replicas count requests
    /// by this name.
    fn caller(&self) -> &'static str;

    /// What it can do, and its version. The answer does not change within a run.
    fn capabilities(&self) -> impl Future<Output = Result<Capabilities>> + Send;

    /// The cumulative counts that are known now. A snapshot is cheap enough for every second.
    ///
    /// Each call also sets the dead-man switch again: without a call for `deadman`, the load generator stops
    /// its load by itself. [`Capabilities::caveat`] says so if it does not.
    fn snapshot(&self, deadman: Duration) -> impl Future<Output = Result<Snapshot>> + Send;

    /// A snapshot with the counts of all workers at one moment. [`Capabilities::exact_windows`] tells how
    /// exact it is, and [`Snapshot::is_complete_cut`] whether all workers took part in time.
    fn cut(&self, deadman: Duration) -> impl Future<Output = Result<Snapshot>> + Send;

    /// Starts a load against `host`.
    ///
    /// Exit code 2: it cannot run the open model, see [`Capabilities::open_model`]; 5: it refuses this load; 4: it
    /// does not answer.
    fn start(&self, load: Load, host: &str) -> impl Future<Output = Result<()>> + Send;

    /// Stops the load. It returns when the load generator has answered, which is before or after
    /// [`Snapshot::is_idle`] is true. The next start must wait for both.
    fn stop(&self) -> impl Future<Output = Result<()>> + Send;

    /// The Deployments whose pods must be replaced to make it start anew; none if it does not run in this cluster, or
    /// is not ours.
    fn deployments(&self) -> &'static [&'static str];

    /// The error, with advice for the user, if a state did not come in time.
    fn explain(&self, unreached: &Unreached, timed_out: &TimedOut) -> Error;
}
