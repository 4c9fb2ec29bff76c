//! The workload under test: a Deployment, a StatefulSet, or any other object with a `scale` subresource.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{DynamicObject, ListParams};
use kube::core::discovery::ApiResource;
use kube::{Api, ResourceExt};
use sha2::{Digest, Sha256};

use super::connection::Cluster;
use super::failure::explain;
use super::kinds;
use crate::config::WorkloadName;
use crate::exit::{Error, Result};
use crate::objects::{MASTER, WORKERS};
use crate::plan::hex;

/// How to get back to the template with which a run began. The scripts of Locust are in a ConfigMap, to which no rollout
/// goes back.
pub fn put_back(kind: &str, name: &str) -> String {
    if [MASTER, WORKERS].contains(&name) {
        "deploy the locustfile and the settings of that run again, and use --resume".to_owned()
    } else {
        format!("put the template back (kubectl rollout undo {kind}/{name}) and use --resume")
    }
}

/// The parts of a workload that the driver needs in order to scale it and to find its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its kind.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// Its UID, which the owner references of its pods lead to.
    pub uid: String,
    /// The replicas in its spec.
    pub replicas: u32,
    /// The label selector of its pods. Pods of others may have the same labels.
    pub selector: String,
    /// The containers of its template, by name; empty if it has no template of its own.
    pub containers: BTreeMap<String, Template>,
    /// A digest of its pod template, without the time of a restart; empty if it has no template of its own.
    pub template: String,
    /// How long a pod may take to leave after it was deleted.
    pub grace: SignedDuration,
    /// How long a pod must stay ready until it counts as available.
    pub min_ready: SignedDuration,
    /// Whether it starts a pod only when the one before it is available, as a StatefulSet does.
    pub one_by_one: bool,
}

/// A container as the template has it, before the cluster adds anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Its image.
    pub image: String,
    /// Its limits, such as `cpu` and `memory`.
    pub limits: BTreeMap<String, String>,
}

impl Workload {
    /// The kind and the name, such as `deployment bert`.
    pub fn describe(&self) -> String {
        format!("{} {}", self.resource.kind.to_lowercase(), self.name)
    }

    /// Names it in records and in the state of a run: the bare name of a Deployment, else `KIND.GROUP/NAME`.
    pub fn id(&self) -> String {
        if kinds::is_deployment(&self.resource) {
            return self.name.clone();
        }
        let group =
            if self.resource.group.is_empty() { String::new() } else { format!(".{}", self.resource.group) };
        format!("{}{group}/{}", self.resource.plural, self.name)
    }

    /// Compares the template with that of `object`, the same workload now. Returns an error if they differ: rows from
    /// before and after the change measure two services.
    pub(super) fn changed_template(&self, object: &DynamicObject) -> Option<Error> {
        if self.template.is_empty() || digest_of(&object.data["spec"]["template"]) == self.template {
            return None;
        }
        let (id, kind) = (self.id(), self.resource.kind.to_lowercase());
        let message = format!(
            "the pod template of {id} has changed since the run began, such as a variable, a limit or the test script"
        );
        Some(Error::usage(message).next(format!("start a new run, or {}", put_back(&kind, &self.name))))
    }

    /// The image of each container, by the name that records have for it.
    pub fn images(&self) -> Vec<(String, String)> {
        let all = self.containers.iter();
        all.map(|(container, template)| (self.label(container), template.image.clone())).collect()
    }

    /// The name of a container in records: that of the workload if its template has no other container.
    pub fn label(&self, container: &str) -> String {
        if self.containers.len() == 1 && self.containers.contains_key(container) {
            self.name.clone()
        } else {
            format!("{}/{container}", self.name)
        }
    }

    /// The API of its kind.
    pub(super) fn api(&self, cluster: &Cluster) -> Api<DynamicObject> {
        Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &self.resource)
    }

    /// A Deployment of which only the name is known. It can be scaled without being read before.
    pub fn unread_deployment(name: &str) -> Self {
        Self {
            resource: kinds::deployments(),
            name: name.into(),
            uid: String::new(),
            replicas: 0,
            selector: String::new(),
            containers: BTreeMap::new(),
            template: String::new(),
            grace: SignedDuration::from_secs(30),
            min_ready: SignedDuration::ZERO,
            one_by_one: false,
        }
    }

    /// A Deployment of one container, for tests.
    #[cfg(test)]
    pub(crate) fn for_tests(name: &str) -> Self {
        let template = Template { image: "image:1".into(), ..Template::default() };
        Self {
            uid: name.into(),
            replicas: 1,
            selector: format!("app={name}"),
            containers: [(name.to_owned(), template)].into(),
            ..Self::unread_deployment(name)
        }
    }
}

/// Reads a workload. A name without a kind is looked for among Deployments and StatefulSets, then among everything
/// else that can be scaled; a kind without a group, in all groups.
///
/// # Errors
/// Exit code 3: it does not exist, its name is not unique, it cannot be scaled or may not be read.
pub async fn read_workload(cluster: &Cluster, name: &WorkloadName) -> Result<Workload> {
    let mut search = Search { cluster, name, found: Vec::new(), refused: None, is_absent: false };
    if name.kind.is_some() {
        search.among(kinds::named(cluster, name).await?).await?;
    } else {
        search.among(vec![kinds::deployments()]).await?;
        if !(name.deployment_first && search.found.len() == 1) {
            search.among(vec![kinds::stateful_sets()]).await?;
        }
        if search.found.is_empty() {
            // Without the list of kinds, nothing more can be found.
            search.among(kinds::others(cluster).await.unwrap_or_default()).await?;
        }
    }
    let Search { mut found, refused, is_absent, .. } = search;
    if found.len() > 1 {
        let names: Vec<_> =
            found.iter().map(|(kind, _)| format!("{}/{}", kinds::qualified(kind), name.name)).collect();
        let message = format!(
            "namespace {} has more than one workload with the name {}: {}",
            cluster.namespace,
            name.name,
            names.join(", ")
        );
        return Err(Error::preflight(message).next("give one of these as inference.workload"));
    }
    match (found.pop(), refused) {
        (Some((resource, object)), _) => of_object(cluster, resource, &object).await,
        (None, Some(refused)) if !is_absent => Err(refused),
        (None, _) => Err(not_found(cluster, name).await),
    }
}

/// The search for a workload's name.
struct Search<'a> {
    cluster: &'a Cluster,
    name: &'a WorkloadName,
    found: Vec<(ApiResource, DynamicObject)>,
    /// The first kind that may not be read.
    refused: Option<Error>,
    /// Whether a kind may be read and does not have the name. Then the name is the likely mistake, not a permission.
    is_absent: bool,
}

impl Search<'_> {
    async fn among(&mut self, kinds: Vec<ApiResource>) -> Result<()> {
        let Self { cluster, name, .. } = *self;
        for resource in kinds {
            let api: Api<DynamicObject> =
                Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
            let error = match api.get(&name.name).await {
                Ok(object) => {
                    self.found.push((resource, object));
                    continue;
                }
                Err(error) => error,
            };
            let code = if let kube::Error::Api(status) = &error { status.code } else { 0 };
            if code == 404 {
                self.is_absent = true;
                continue;
            }
            let kind = resource.kind.to_lowercase();
            let explained = explain(&format!("{kind} {}/{}", cluster.namespace, name.name), &error);
            if code != 403 {
                return Err(explained);
            }
            self.refused.get_or_insert(explained.next(rule_for(&resource)));
        }
        Ok(())
    }
}

/// The rule that the driver's Role needs for this kind, as advice.
pub(super) fn rule_for(resource: &ApiResource) -> String {
    let ApiResource { group, plural, .. } = resource;
    format!(
        "apply the Role of the manifests (locust-matrix deploy --config FILE adds this workload to it), or add the \
         rules {{apiGroups: ['{group}'], resources: [{plural}], verbs: [get, list, watch]}} and {{apiGroups: \
         ['{group}'], resources: [{plural}/scale], verbs: [get, patch]}}"
    )
}

/// The error for a name that nothing has, with the names that are there.
async fn not_found(cluster: &Cluster, name: &WorkloadName) -> Error {
    let mut there = Vec::new();
    for resource in [kinds::deployments(), kinds::stateful_sets()] {
        let api: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
        let Ok(list) = api.list(&ListParams::default().limit(50)).await else { continue };
        let kind = resource.kind.to_lowercase();
        there.extend(list.items.iter().map(|object| format!("{kind}/{}", object.name_any())));
    }
    let has = match there.len() {
        0 => "the driver sees no Deployment and no StatefulSet there".to_owned(),
        1..=12 => format!("it has {}", there.join(", ")),
        more => format!("it has {} and {} more", there.get(..12).unwrap_or_default().join(", "), more - 12),
    };
    Error::preflight(format!("namespace {} has no workload {name}: {has}", cluster.namespace)).next(
        "check --namespace, and inference.workload in the settings; the stub and Locust are deployed with: \
         locust-matrix deploy",
    )
}

async fn of_object(cluster: &Cluster, resource: ApiResource, object: &DynamicObject) -> Result<Workload> {
    let spec = &object.data["spec"];
    let template: PodTemplateSpec = serde_json::from_value(spec["template"].clone()).unwrap_or_default();
    let pod = template.spec.unwrap_or_default();
    let seconds = |value: &serde_json::Value| SignedDuration::from_secs(value.as_i64().unwrap_or(0));
    let name = object.name_any();
    let (replicas, selector) = match selector_of(&spec["selector"]) {
        Some(selector) if kinds::is_builtin(&resource) => (spec["replicas"].as_u64().unwrap_or(1), selector),
        // Where a custom resource has its replicas and its selector, only its scale knows.
        own => {
            let (replicas, selector) = read_scale(cluster, &resource, &name).await?;
            (replicas, selector.or(own).unwrap_or_default())
        }
    };
    if selector.is_empty() {
        return Err(Error::preflight(format!(
            "{} {}/{name}: neither its scale nor its spec says which pods it has",
            resource.kind.to_lowercase(),
            cluster.namespace
        ))
        .next("name the Deployment or StatefulSet that it makes, as inference.workload"));
    }
    Ok(Workload {
        one_by_one: resource.kind == "StatefulSet" && spec["podManagementPolicy"] != "Parallel",
        resource,
        name,
        uid: object.uid().unwrap_or_default(),
        replicas: u32::try_from(replicas).unwrap_or(0),
        selector,
        containers: pod.containers.iter().map(|one| (one.name.clone(), template_of(one))).collect(),
        template: digest_of(&spec["template"]),
        grace: SignedDuration::from_secs(pod.termination_grace_period_seconds.unwrap_or(30)),
        min_ready: seconds(&spec["minReadySeconds"]),
    })
}

fn digest_of(template: &serde_json::Value) -> String {
    /// `kubectl rollout restart` sets it, and changes nothing else.
    const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
    if template.is_null() {
        return String::new();
    }
    let mut template = template.clone();
    if let Some(annotations) =
        template.pointer_mut("/metadata/annotations").and_then(|map| map.as_object_mut())
    {
        annotations.remove(RESTARTED);
        if annotations.is_empty()
            && let Some(metadata) = template["metadata"].as_object_mut()
        {
            metadata.remove("annotations");
        }
    }
    hex(&Sha256::digest(template.to_string()))
}

fn template_of(container: &Container) -> Template {
    let limits = container.resources.as_ref().and_then(|resources| resources.limits.clone());
    let limits = limits.unwrap_or_default().into_iter().map(|(name, amount)| (name, amount.0)).collect();
    Template { image: container.image.clone().unwrap_or_default(), limits }
}

async fn read_scale(cluster: &Cluster, resource: &ApiResource, name: &str) -> Result<(u64, Option<String>)> {
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &cluster.namespace, resource);
    let scale = api.get_scale(name).await.map_err(|error| {
        let subject = format!("scale of {} {}/{name}", resource.kind.to_lowercase(), cluster.namespace);
        match &error {
            kube::Error::Api(status) if status.code == 404 => {
                Error::preflight(format!("{subject}: {}", status.message))
                    .next("name a workload that kubectl scale can scale, as inference.workload")
            }
            kube::Error::Api(status) if status.code == 403 => {
                explain(&subject, &error).next(rule_for(resource))
            }
            _ => explain(&subject, &error),
        }
    })?;
    let replicas = scale.spec.and_then(|spec| spec.replicas).unwrap_or(0);
    let selector = scale.status.and_then(|status| status.selector).filter(|selector| !selector.is_empty());
    Ok((u64::try_from(replicas).unwrap_or(0), selector))
}

/// A selector of a spec as text for the API server.
fn selector_of(selector: &serde_json::Value) -> Option<String> {
    let selector: LabelSelector = serde_json::from_value(selector.clone()).ok()?;
    let labels = selector.match_labels.unwrap_or_default().into_iter();
    let mut parts: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    for requirement in selector.match_expressions.unwrap_or_default() {
        let (key, values) = (&requirement.key, requirement.values.unwrap_or_default().join(","));
        parts.push(match requirement.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

#[cfg(test)]
mod tests;
