//! The cluster's only node.

/// Its name.
pub(crate) const NAME: &str = "embedded";
