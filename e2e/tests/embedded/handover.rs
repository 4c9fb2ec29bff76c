//! A driver that takes over from another one.

use std::path::Path;
use std::time::Duration;

use e2e::tool::Running;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::Cluster;
use crate::deployed::Deployed;

const LEASE: &str = "locust-load-test-matrix";

/// Another driver has the Lease and has scaled the service. It restores the replicas, and then releases the Lease. The
/// driver that waited must restore the replicas of that moment, not those that it read while it waited.
pub(crate) async fn finds_the_replicas_as_the_other_leaves_them(cluster: &Cluster, folder: &Path) {
    let deployed = Deployed::to(cluster).await;
    let scale = async |replicas: u32| {
        let deployments: Api<Deployment> = Api::default_namespaced(deployed.client().clone());
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        deployments.patch("inference", &PatchParams::default(), &patch).await.unwrap();
    };
    let hold = async |holder: Option<&str>| {
        let leases: Api<Lease> = Api::default_namespaced(deployed.client().clone());
        let now = Timestamp::now().to_string();
        let spec = json!({ "holderIdentity": holder, "renewTime": now, "leaseDurationSeconds": 30 });
        let patch = Patch::Merge(json!({ "spec": spec }));
        leases.patch(LEASE, &PatchParams::default(), &patch).await.unwrap();
    };
    hold(Some("the-other")).await;
    scale(2).await;
    let settings = "{replicas: [1], workers: [1], users: [4], duration: 3s, warmup: 0s, cooldown: 0s}";
    let mut running = Running::start(&mut deployed.run_command(settings, &folder.join("results"), &[]));
    running.await_line("service: deployment", Duration::from_mins(1));
    scale(1).await;
    hold(None).await;
    let ended = running.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("replicas as found: inference 1,"), "{}", ended.err);
}
