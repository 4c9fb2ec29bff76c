//! What every scenario of a run uses.

use std::time::Duration;

use records::Environment;

use super::seen::Seen;
use crate::cluster::{Cluster, Lease, PodHttp, Workload};
use crate::config::Config;
use crate::events::Events;
use crate::load::Capabilities;

/// The load generator stops its load by itself if it gets no request for a snapshot for this long, because the
/// driver is then gone.
pub(super) const DEADMAN: Duration = Duration::from_mins(1);

/// What every scenario of a run uses.
#[derive(Debug)]
pub struct Setup<L> {
    /// The cluster.
    pub cluster: Cluster,
    /// The load generator.
    pub load: L,
    /// What the load generator can do.
    pub capabilities: Capabilities,
    /// The complete configuration.
    pub config: Config,
    /// The service under test, with its replicas from before the run.
    pub inference: Workload,
    /// The workers of the load generator, with their replicas from before the run.
    pub workers: Workload,
    /// The part of every record that is the same for the whole run.
    pub environment: Environment,
    /// Reads the replicas' own counters.
    pub reach: PodHttp,
    /// The right to scale and load; `None` in tests.
    pub lease: Option<Lease>,
    /// Gets the progress, for the user.
    pub events: Events,
    /// What earlier scenarios of the run have shown.
    pub seen: Seen,
}

/// The run that records belong to.
#[derive(Clone, Debug)]
pub struct Run {
    /// See [`records::Record::run_id`].
    pub run_id: String,
    /// See [`records::Record::plan_hash`].
    pub plan_hash: String,
}
