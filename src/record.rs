//! Where records are kept: in a file beside the reports, and in ConfigMaps of the cluster.
//!
//! The records themselves are the types of the crate `records`.

mod file;
mod shards;
mod store;

pub use file::RecordFile;
pub use shards::{SHARDS, Shards, decode, encode};
pub use store::{ConfigMapStore, OriginalReplicas, RunState};

#[cfg(test)]
pub(crate) mod tests;
