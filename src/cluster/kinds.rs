//! The kinds of workloads: those that every cluster has, and those that the API server tells of.

use futures::future::join_all;
use kube::core::GroupVersionKind;
use kube::core::discovery::ApiResource;
use kube::discovery::{ApiCapabilities, Scope};

use super::connection::Cluster;
use super::failure::explain;
use crate::config::WorkloadName;
use crate::exit::{Error, Result};

/// Deployments.
pub(super) fn deployments() -> ApiResource {
    builtin("Deployment", "deployments")
}

/// StatefulSets.
pub(super) fn stateful_sets() -> ApiResource {
    builtin("StatefulSet", "statefulsets")
}

fn builtin(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("apps", "v1", kind), plural)
}

pub(super) fn is_deployment(resource: &ApiResource) -> bool {
    resource.group == "apps" && resource.kind == "Deployment"
}

/// Whether its fields are those of the Kubernetes API, and not those of somebody's own kind.
pub(super) fn is_builtin(resource: &ApiResource) -> bool {
    resource.group == "apps"
}

/// Plural and group, as kubectl and Roles name a kind: `statefulsets.apps`.
pub(super) fn qualified(resource: &ApiResource) -> String {
    if resource.group.is_empty() {
        resource.plural.clone()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    }
}

/// The kinds that the kind of a name may mean.
///
/// # Errors
/// Exit code 3: no kind of this name can be scaled; 4: the API server does not answer.
pub(super) async fn named(cluster: &Cluster, name: &WorkloadName) -> Result<Vec<ApiResource>> {
    let kind = name.kind.as_deref().unwrap_or_default();
    let is_apps = name.group.as_deref().is_none_or(|group| group == "apps");
    match kind {
        "deployment" | "deployments" | "deploy" if is_apps => return Ok(vec![deployments()]),
        "statefulset" | "statefulsets" | "sts" if is_apps => return Ok(vec![stateful_sets()]),
        _ => {}
    }
    let known = scalable(cluster, name.group.as_deref()).await?;
    let is_named = |one: &&ApiResource| one.plural.as_str() == kind || one.kind.to_lowercase() == kind;
    let named: Vec<ApiResource> = known.iter().filter(is_named).cloned().collect();
    if named.is_empty() {
        let problem = format!("inference.workload: {name}: this cluster has no such kind that can be scaled");
        let names: Vec<_> = known.iter().map(qualified).collect();
        let next = if names.is_empty() {
            "see which kinds there are: kubectl api-resources".to_owned()
        } else {
            format!("these can be scaled: {}", names.join(", "))
        };
        return Err(Error::preflight(problem).next(next));
    }
    Ok(named)
}

/// The kinds that can be scaled, other than Deployments, StatefulSets, and ReplicaSets, which Deployments make.
///
/// # Errors
/// Exit code 4: the API server does not answer.
pub(super) async fn others(cluster: &Cluster) -> Result<Vec<ApiResource>> {
    let mut all = scalable(cluster, None).await?;
    all.retain(|resource| resource.group != "apps");
    Ok(all)
}

/// The kinds with a `scale` subresource, of one group or of all. A group whose server is away, such as that of a broken
/// metrics server, is left out.
async fn scalable(cluster: &Cluster, group: Option<&str>) -> Result<Vec<ApiResource>> {
    let client = &cluster.client;
    let names = if let Some(name) = group {
        vec![name.to_owned()]
    } else {
        let groups = client.list_api_groups().await;
        let groups = groups.map_err(|error| explain("ask for the cluster's kinds", &error))?;
        groups.groups.into_iter().map(|group| group.name).collect()
    };
    let groups = join_all(names.iter().map(|name| kube::discovery::group(client, name))).await;
    let can_scale = |capabilities: &ApiCapabilities| {
        let mut parts = capabilities.subresources.iter();
        let is_scale = |part: &ApiResource| part.plural == "scale" || part.plural.ends_with("/scale");
        capabilities.scope == Scope::Namespaced && parts.any(|(part, _)| is_scale(part))
    };
    let mut scalable = Vec::new();
    for answer in groups {
        match answer {
            Ok(found) => {
                let all = found.recommended_resources().into_iter();
                scalable.extend(all.filter(|(_, can)| can_scale(can)).map(|(resource, _)| resource));
            }
            // There is no such group.
            Err(kube::Error::Discovery(_)) => {}
            Err(error) if group.is_some() => return Err(explain("ask for the cluster's kinds", &error)),
            Err(_) => {}
        }
    }
    Ok(scalable)
}
