//! What the run is made with, for the report. It is told as far as it can be read; nothing depends on it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use records::Provenance;

use crate::cluster::{Cluster, Workload};
use crate::config::Config;

/// The versions, nodes, images and settings of this run. What may not be read is left empty.
pub(super) async fn provenance(cluster: &Cluster, workloads: &[&Workload], config: &Config) -> Provenance {
    let (mut nodes, mut image_ids) = (BTreeSet::new(), BTreeMap::new());
    for workload in workloads {
        let pods = cluster.api::<Pod>().list(&ListParams::default().labels(&workload.selector)).await;
        for pod in pods.map(|pods| pods.items).unwrap_or_default() {
            nodes.extend(pod.spec.and_then(|spec| spec.node_name));
            let containers = pod.status.and_then(|status| status.container_statuses).unwrap_or_default();
            let resolved =
                containers.into_iter().map(|container| container.image_id).find(|id| !id.is_empty());
            image_ids.extend(resolved.map(|id| (workload.name.clone(), id)));
        }
    }
    let kubernetes = cluster.client.apiserver_version().await.map(|version| version.git_version);
    Provenance {
        driver: env!("CARGO_PKG_VERSION").to_owned(),
        kubernetes: kubernetes.unwrap_or_default(),
        kernel: kernel(),
        nodes: nodes.into_iter().collect(),
        image_ids,
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
