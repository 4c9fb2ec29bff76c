//! Where the lanes' clusters are, and what can be struck there.

use e2e::kind::KeptCluster;

use crate::fault::Fault;

/// Where the lanes' clusters are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Each lane has an embedded cluster.
    Embedded,
    /// Each lane has a namespace of this kind cluster.
    Kind(KeptCluster),
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
