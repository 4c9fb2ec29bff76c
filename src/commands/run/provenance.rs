//! What the run is made with, for the report. It is told as far as it can be read; nothing depends on it.

use std::collections::BTreeSet;

use records::Provenance;

use crate::cluster::{Cluster, PodSummary};
use crate::config::Config;

/// The versions, the nodes of these pods, and the settings of this run. Fields that the driver has no right to read stay empty.
pub(super) async fn provenance(
    cluster: &Cluster,
    pods: impl Iterator<Item = &PodSummary>,
    config: &Config,
) -> Provenance {
    let nodes: BTreeSet<String> = pods.filter_map(|pod| pod.node.clone()).collect();
    let kubernetes = cluster.client.apiserver_version().await.map(|version| version.git_version);
    Provenance {
        driver: env!("CARGO_PKG_VERSION").to_owned(),
        kubernetes: kubernetes.unwrap_or_default(),
        kernel: kernel(),
        nodes: nodes.into_iter().collect(),
        settings: serde_json::to_value(config).unwrap_or_default(),
    }
}

#[cfg(unix)]
fn kernel() -> String {
    let name = rustix::system::uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    [name.sysname(), name.release(), name.machine()].map(part).join(" ")
}

#[cfg(not(unix))]
fn kernel() -> String {
    std::env::consts::OS.to_owned()
}
