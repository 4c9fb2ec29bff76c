//! On which kind of cluster trials run, and which faults are drawn there.

use e2e::kind::KeptCluster;

use crate::fault::Fault;

/// The kind of cluster that the lanes of trials use.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Each lane has an embedded cluster.
    Embedded,
    /// Each lane has a namespace of this kind cluster.
    Kind(KeptCluster),
}

impl Place {
    /// Every kind of fault that is drawn here.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        match self {
            Self::Embedded => Fault::on_embedded(),
            Self::Kind(_) => Fault::on_kind(),
        }
    }

    /// How many lanes there are, unless the caller says it.
    pub(crate) fn lanes(&self) -> usize {
        match self {
            Self::Embedded => 3,
            // A node of two cores has no room for more.
            Self::Kind(_) => 2,
        }
    }

    /// Whether a fault strikes the clusters of all lanes.
    pub(crate) fn is_shared_by_lanes(&self, fault: Fault) -> bool {
        matches!((self, fault), (Self::Kind(_), Fault::Node(_)))
    }
}
