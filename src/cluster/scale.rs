//! A Deployment as something with a number of replicas.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Patch;
use serde_json::json;

use super::{Cluster, as_ourselves, explain};
use crate::exit::{Error, Result};

/// What is known of a Deployment before it is scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Replicas asked for.
    pub replicas: u32,
    /// The first container's image, as the pod template names it.
    pub image: String,
    /// Selects its pods, as `key=value,key=value`.
    pub selector: String,
}

/// Reads a Deployment.
///
/// # Errors
/// Exit code 3: it is not there, may not be read, or selects its pods by expressions.
pub async fn workload(cluster: &Cluster, name: &str) -> Result<Workload> {
    let what = format!("deployment {}/{name}", cluster.namespace);
    let deployment: Deployment = cluster.api().get(name).await.map_err(|error| explain(&what, &error))?;
    let spec = deployment.spec.unwrap_or_default();
    if spec.selector.match_expressions.is_some_and(|expressions| !expressions.is_empty()) {
        return Err(Error::preflight(format!("{what}: selects its pods by matchExpressions"))
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

/// Asks for `replicas` through the `scale` subresource.
///
/// # Errors
/// Exit code 3 where the permission is missing, else 4.
pub async fn scale(cluster: &Cluster, name: &str, replicas: u32) -> Result<()> {
    let patch = json!({ "spec": { "replicas": replicas } });
    let params = as_ourselves();
    cluster.api::<Deployment>().patch_scale(name, &params, &Patch::Merge(&patch)).await.map(drop).map_err(
        |error| explain(&format!("scale deployment {}/{name} to {replicas}", cluster.namespace), &error),
    )
}
