//! The clusters on which trials run. They differ in how a part is struck and in how leftovers are looked for.

mod embedded;
mod kind;

use std::process::Command;
use std::time::Duration;

use e2e::namespace::{Namespace, Problem};

use crate::fault::{Fault, NodeFault};

pub(crate) use embedded::Embedded;
pub(crate) use kind::{KindNamespace, end_kind_cluster, start_kind_cluster};

/// How Locust is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// A cluster, or a namespace of one, with Locust and the stub.
pub(crate) trait Cluster {
    /// What `--cluster-kind` calls it.
    fn name(&self) -> &'static str;

    fn namespace(&self) -> &Namespace;

    /// The driver, which talks to this cluster.
    fn driver(&self) -> Command;

    /// Kills all processes of a pod.
    ///
    /// # Errors
    /// The pod has none.
    fn kill_pod(&self, pod: &str) -> Result<(), Problem>;

    /// Strikes what all pods share, and returns when the fault is over. `pause` is how long a pause lasts.
    ///
    /// # Errors
    /// It could not happen, or is not over.
    fn strike_node(&self, fault: NodeFault, pause: Duration) -> Result<(), Problem>;

    /// Asks Locust's master in this pod, as a browser would.
    ///
    /// # Errors
    /// There is no answer, or it is none of the success codes.
    fn ask_master(&self, method: Method, pod: &str, path: &str) -> Result<String, Problem>;

    /// Processes or containers that run for pods which the API server does not list.
    ///
    /// # Errors
    /// The cluster cannot be searched.
    fn run_without_pod(&self) -> Result<Vec<String>, Problem>;

    /// How long pods that are put back or scaled down may take to start or to end.
    fn settles_within(&self) -> Duration;

    /// Waits for the end of a cluster that was killed, and of its pods.
    ///
    /// # Errors
    /// Some of it still runs.
    fn bury(self: Box<Self>) -> Result<(), Problem>;

    /// Ends it.
    ///
    /// # Errors
    /// Something of it is left.
    fn end(self: Box<Self>) -> Result<(), Problem>;
}

/// Where the lanes' clusters are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Each lane has an embedded cluster.
    Embedded,
    /// Each lane has a namespace of this kind cluster.
    Kind(e2e::kind::KeptCluster),
}

impl Place {
    /// Every kind of fault that is drawn here.
    pub(crate) fn faults(&self) -> &'static [Fault] {
        match self {
            Self::Embedded => &Fault::ON_EMBEDDED,
            Self::Kind(_) => &Fault::ON_KIND,
        }
    }

    /// Whether a fault strikes the clusters of all lanes.
    pub(crate) fn is_shared_by_lanes(&self, fault: Fault) -> bool {
        matches!((self, fault), (Self::Kind(_), Fault::Node(_)))
    }
}
