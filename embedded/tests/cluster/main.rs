//! The cluster as a whole, as its own process, reached through its kubeconfig: pods are shells.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod deployments;
mod ending;
mod jobs;
mod pods;
mod services;
mod support;
