//! Where records are kept: in a file beside the reports, and in ConfigMaps of the cluster.
//!
//! The records themselves are the types of the crate `records`.

mod file;
mod merge;
mod shards;
mod store;
mod thin;

pub use file::{RecordFile, Recovered};
pub use merge::{Merged, merge};
pub use shards::{SHARDS, Shards, decode, encode};
pub use store::{ConfigMapStore, OriginalReplicas, RunState, Stored, Writer};

#[cfg(test)]
pub(crate) mod tests;
