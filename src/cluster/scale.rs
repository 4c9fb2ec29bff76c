//! Reading and changing the number of a Deployment's replicas.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Patch;
use serde_json::json;

use super::connection::{Cluster, patch_params};
use super::failure::explain;
use crate::exit::{Error, Result};

/// The parts of a Deployment that the driver needs in order to scale it and to find its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The Deployment's name.
    pub name: String,
    /// The replicas in its spec.
    pub replicas: u32,
    /// The first container's image, as the pod template names it.
    pub image: String,
    /// The label selector of its pods, as `key=value,key=value`.
    pub selector: String,
}

/// Reads a Deployment.
///
/// # Errors
/// Exit code 3: it does not exist, may not be read, or selects its pods by `matchExpressions`.
pub async fn read_workload(cluster: &Cluster, name: &str) -> Result<Workload> {
    let subject = format!("deployment {}/{name}", cluster.namespace);
    let deployment: Deployment = cluster.api().get(name).await.map_err(|error| explain(&subject, &error))?;
    let spec = deployment.spec.unwrap_or_default();
    if spec.selector.match_expressions.is_some_and(|expressions| !expressions.is_empty()) {
        return Err(Error::preflight(format!("{subject}: selects its pods by matchExpressions"))
            .next("give it a selector of matchLabels only"));
    }
    let labels = spec.selector.match_labels.unwrap_or_default();
    let pod = spec.template.spec.unwrap_or_default();
    Ok(Workload {
        name: name.to_owned(),
        replicas: u32::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0),
        image: pod.containers.first().and_then(|container| container.image.clone()).unwrap_or_default(),
        selector: labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","),
    })
}

/// Sets the replicas of a Deployment through its `scale` subresource.
///
/// # Errors
/// Exit code 3 if the Deployment or the permission is missing, else 4.
pub async fn scale(cluster: &Cluster, name: &str, replicas: u32) -> Result<()> {
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let scaled = cluster.api::<Deployment>().patch_scale(name, &patch_params(), &patch).await;
    scaled.map(drop).map_err(|error| {
        explain(&format!("scale deployment {}/{name} to {replicas}", cluster.namespace), &error)
    })
}
