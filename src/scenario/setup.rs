//! What every scenario of a run is driven with.

use std::time::Duration;

use records::Environment;

use crate::cluster::{Cluster, PodHttp, Workload};
use crate::config::Config;
use crate::events::Events;

/// The load generator stops its load by itself if nobody asks for a snapshot for this long: the driver is gone.
pub(super) const DEADMAN: Duration = Duration::from_mins(1);

/// What every scenario of a run is driven with.
#[derive(Debug)]
pub struct Setup<L> {
    /// The cluster.
    pub cluster: Cluster,
    /// The load generator.
    pub load: L,
    /// The complete configuration.
    pub config: Config,
    /// The service under test, as it was found.
    pub inference: Workload,
    /// The workers of the load generator, as they were found.
    pub workers: Workload,
    /// The part of every record that is the same for the whole run.
    pub environment: Environment,
    /// The way to the replicas' own counters.
    pub reach: PodHttp,
    /// Where progress is told.
    pub events: Events,
}

/// The run that records belong to.
#[derive(Clone, Debug)]
pub struct Run {
    /// See [`records::Record::run_id`].
    pub run_id: String,
    /// See [`records::Record::plan_hash`].
    pub plan_hash: String,
}
