//! The pods of a workload at one moment.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};

use super::connection::Cluster;
use super::failure::explain;
use super::owned::Owners;
use super::pod_state::{is_over, restarts};
use super::workload::Workload;
use crate::exit::Result;

/// A pod at one moment. A pod that was replaced has another UID, a container that was restarted another count.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSummary {
    /// The pod's name.
    pub name: String,
    /// The pod's UID.
    pub uid: String,
    /// The pod's IP address, once it has one.
    pub ip: Option<String>,
    /// The node that it was placed on.
    pub node: Option<String>,
    /// Restarts of all its containers together.
    pub restarts: i32,
    /// Its containers, those included that the cluster has added.
    pub containers: Vec<ContainerFacts>,
}

/// A container of a pod, as the cluster runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerFacts {
    /// The name that records have for it.
    pub label: String,
    /// Whether the workload's template has it. Else the cluster has added it to the pod.
    pub is_in_template: bool,
    /// The image that runs, by its digest, as the node tells it; empty until it runs.
    pub image_id: String,
    /// Its limits of CPU and memory in words; empty if it has none.
    pub limits: String,
}

impl PodSummary {
    fn of(pod: &Pod, workload: &Workload) -> Self {
        let status = pod.status.as_ref();
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            ip: status.and_then(|status| status.pod_ip.clone()),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            restarts: restarts(pod),
            containers: facts(pod, workload),
        }
    }
}

/// The containers that run as long as the pod does.
fn facts(pod: &Pod, workload: &Workload) -> Vec<ContainerFacts> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|one| one.restart_policy.as_deref() == Some("Always"));
    let status = pod.status.as_ref();
    let statuses = |name: &str| {
        let all = status.into_iter().flat_map(|status| {
            status.container_statuses.iter().chain(&status.init_container_statuses).flatten()
        });
        all.into_iter().find(|one| one.name == name).map(|one| one.image_id.clone()).unwrap_or_default()
    };
    let all = spec.containers.iter().chain(sidecars);
    all.map(|one| {
        let template = workload.containers.get(&one.name);
        let limits = one.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        let limits: BTreeMap<&str, &str> = limits
            .into_iter()
            .flatten()
            .filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory"))
            .map(|(name, amount)| (name.as_str(), amount.0.as_str()))
            .collect();
        let in_words = limits.iter().map(|(name, amount)| {
            let is_own = template.is_some_and(|template| template.limits.contains_key(*name));
            let by = if is_own || workload.containers.is_empty() { "" } else { " (set by the cluster)" };
            format!("{name} {amount}{by}")
        });
        ContainerFacts {
            label: workload.label(&one.name),
            is_in_template: template.is_some() || workload.containers.is_empty(),
            image_id: statuses(&one.name),
            limits: in_words.collect::<Vec<_>>().join(", "),
        }
    })
    .collect()
}

/// The workload's own pods that are neither terminating nor over, in the order of their names.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub async fn pods_of(cluster: &Cluster, workload: &Workload) -> Result<Vec<PodSummary>> {
    let pods = own(cluster, workload).await?;
    let staying = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none() && !is_over(pod));
    let mut summaries: Vec<_> = staying.map(|pod| PodSummary::of(pod, workload)).collect();
    summaries.sort();
    Ok(summaries)
}

async fn own(cluster: &Cluster, workload: &Workload) -> Result<Vec<Pod>> {
    let pods = cluster.api::<Pod>().list(&ListParams::default().labels(&workload.selector)).await;
    let pods = pods.map_err(|error| explain(&format!("list the pods of {}", workload.name), &error))?;
    Owners::default().pods_of(cluster, workload, pods.items).await
}

/// Deletes the workload's own pods, so that it replaces them. A pod that is gone already is no error.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub async fn delete_pods_of(cluster: &Cluster, workload: &Workload) -> Result<()> {
    let pods = own(cluster, workload).await?;
    for pod in pods.iter().filter_map(|pod| pod.metadata.name.as_deref()) {
        match cluster.api::<Pod>().delete(pod, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(explain(&format!("delete pod {pod}"), &error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_containers_digest_and_the_limits_that_the_cluster_has_added_are_known() {
        let mut workload = Workload::for_tests("pair");
        let template = workload.containers.remove("pair").unwrap();
        let mut proxy = template.clone();
        proxy.limits.insert("memory".into(), "64Mi".into());
        workload.containers = [("model".to_owned(), template), ("access-log".to_owned(), proxy)].into();
        let status = |name: &str, id: &str| json!({ "name": name, "image": "i:1", "imageID": id, "ready": true, "restartCount": 1 });
        let limits = |limits: serde_json::Value| json!({ "limits": limits });
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "pair-1" },
            "spec": { "containers": [
                { "name": "access-log", "resources": limits(json!({ "memory": "64Mi" })) },
                { "name": "model", "resources": limits(json!({ "cpu": "200m", "nvidia.com/gpu": "1" })) },
                { "name": "istio-proxy", "resources": limits(json!({ "cpu": "2" })) },
            ] },
            "status": { "containerStatuses": [status("model", "m@sha256:1"), status("access-log", "a@sha256:2")] },
        }))
        .unwrap();
        let summary = PodSummary::of(&pod, &workload);
        let facts: Vec<_> = summary
            .containers
            .iter()
            .map(|one| (one.label.as_str(), one.is_in_template, one.image_id.as_str(), one.limits.as_str()))
            .collect();
        assert_eq!(
            facts,
            [
                ("pair/access-log", true, "a@sha256:2", "memory 64Mi"),
                ("pair/model", true, "m@sha256:1", "cpu 200m (set by the cluster)"),
                ("pair/istio-proxy", false, "", "cpu 2 (set by the cluster)"),
            ]
        );
        assert_eq!(summary.restarts, 2);
    }
}
