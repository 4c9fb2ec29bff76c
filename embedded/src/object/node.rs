//! The cluster's only node.

/// The name of the node.
pub(crate) const NAME: &str = "embedded";
