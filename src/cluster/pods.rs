//! The pods of a Deployment at one moment.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};

use super::connection::Cluster;
use super::failure::explain;
use super::scale::Workload;
use crate::exit::Result;

/// A pod at one moment. A pod that was replaced has another UID, a container that was restarted another count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSummary {
    /// The pod's name.
    pub name: String,
    /// The pod's UID.
    pub uid: String,
    /// The pod's IP address, once it has one.
    pub ip: Option<String>,
    /// Restarts of all its containers together.
    pub restarts: i32,
}

impl PodSummary {
    fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            ip: status.and_then(|status| status.pod_ip.clone()),
            restarts: containers.iter().map(|container| container.restart_count).sum(),
        }
    }
}

/// The pods of a Deployment that are not terminating, in the order of their names.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub async fn pods_of(cluster: &Cluster, workload: &Workload) -> Result<Vec<PodSummary>> {
    let pods = cluster.api::<Pod>().list(&ListParams::default().labels(&workload.selector)).await;
    let pods = pods.map_err(|error| explain(&format!("list the pods of {}", workload.name), &error))?;
    let staying = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let mut summaries: Vec<_> = staying.map(PodSummary::of).collect();
    summaries.sort();
    Ok(summaries)
}

/// Deletes the pods that `selector` selects, so that their controllers replace them. A pod that is gone already
/// is no error.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub async fn delete_pods(cluster: &Cluster, selector: &str) -> Result<()> {
    let pods = cluster.api::<Pod>();
    let found = pods.list(&ListParams::default().labels(selector)).await;
    let found = found.map_err(|error| explain(&format!("list the pods {selector}"), &error))?;
    for pod in found.items.iter().filter_map(|pod| pod.metadata.name.as_deref()) {
        match pods.delete(pod, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(explain(&format!("delete pod {pod}"), &error)),
        }
    }
    Ok(())
}
