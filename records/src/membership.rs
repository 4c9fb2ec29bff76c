//! The pods that took part in a measurement.

use serde::{Deserialize, Serialize};

/// A pod or a worker, as it was at one time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// Its name, for people.
    pub name: String,
    /// An identifier that a successor of the same name would not share: a pod's UID.
    pub id: String,
    /// Restarts of its containers so far.
    pub restarts: i32,
}

/// The pods before the load began and after it had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Replicas before the load.
    pub replicas_before: Vec<Member>,
    /// Replicas after it.
    pub replicas_after: Vec<Member>,
    /// Workers of the load generator before the load.
    pub workers_before: Vec<Member>,
    /// Workers of the load generator after it.
    pub workers_after: Vec<Member>,
}
