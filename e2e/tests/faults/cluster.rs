//! What differs between the clusters on which trials run: how a part is struck, and how leftovers are looked for.

use std::process::Command;
use std::time::Duration;

use e2e::namespace::{Namespace, Problem};

use crate::fault::NodeFault;

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
