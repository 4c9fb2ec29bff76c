//! Pods: the life of a pod and of its containers, and the status that the API shows.

mod backoff;
pub(crate) mod change;
pub(crate) mod lifecycle;
pub(crate) mod record;
mod runner;
mod status;
