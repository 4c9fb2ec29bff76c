//! Tests of the whole cluster: it runs as a process of its own and is reached through its kubeconfig. Most
//! pods are shells.
#![expect(clippy::unwrap_used, reason = "clippy allows this only in tests themselves, not in their helpers")]

mod cron_jobs;
mod deployments;
mod ending;
mod extremes;
mod jobs;
mod pods;
mod services;
mod stateful_sets;
mod support;
