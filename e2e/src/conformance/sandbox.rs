//! A namespace for one check, with functions to change and inspect it.

use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::runtime::wait::Condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config, Resource, ResourceExt};
use serde_json::{Value, json};

use crate::tool::say;

/// The images that the checks use.
#[derive(Clone, Debug)]
pub struct Images {
    /// The stub.
    pub stub: String,
    /// The driver.
    pub driver: String,
}

/// One check's own namespace.
#[derive(Clone)]
pub(super) struct Sandbox {
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) images: Images,
}

/// How long one step may take. It is long because all checks together start two dozen pods at once.
const LIMIT: Duration = Duration::from_mins(3);

impl Sandbox {
    pub(super) async fn create(kubeconfig: &Path, images: &Images, name: &str) -> Self {
        let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig is read");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let client = Client::try_from(config.expect("the kubeconfig can be used")).expect("a client");
        let namespace = name.replace('_', "-");
        let object = json!({ "metadata": { "name": namespace } });
        let object: Namespace = serde_json::from_value(object).expect("a namespace");
        let created = Api::all(client.clone()).create(&PostParams::default(), &object).await;
        created.expect("the namespace is created");
        // The API server refuses a pod if its namespace does not have this account yet.
        let sandbox = Self { client, namespace, images: images.clone() };
        sandbox
            .wait_for("default", |found: Option<&k8s_openapi::api::core::v1::ServiceAccount>| found.is_some())
            .await;
        sandbox
    }

    /// Deletes the namespace and everything in it.
    pub(super) async fn delete(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let _ = namespaces.delete(&self.namespace, &DeleteParams::background()).await;
    }

    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies an object as the field manager `manager`.
    pub(super) async fn try_apply<K>(&self, manager: &str, object: &Value) -> kube::Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let name = object["metadata"]["name"].as_str().expect("a name");
        self.api::<K>().patch(name, &PatchParams::apply(manager), &Patch::Apply(object)).await
    }

    pub(super) async fn apply<K>(&self, object: &Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        self.try_apply("check", object).await.expect("the object is applied")
    }

    /// Watches an object until `condition` holds, and returns the object.
    pub(super) async fn wait_for<K>(&self, name: &str, condition: impl Condition<K>) -> Option<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug
            + Send
            + 'static,
    {
        let waiting = kube::runtime::wait::await_condition(self.api::<K>(), name, condition);
        let found = tokio::time::timeout(LIMIT, waiting).await;
        let Ok(found) = found else {
            let last = self.api::<K>().get_opt(name).await;
            panic!("{name}: not within {LIMIT:?}; last seen: {last:?}");
        };
        found.expect("the watch goes on")
    }

    /// Watches the pods with these labels until `condition` holds for their list, and returns the list.
    pub(super) async fn wait_for_pods(&self, labels: &str, condition: impl Fn(&[Pod]) -> bool) -> Vec<Pod> {
        let config = watcher::Config::default().labels(labels);
        let waiting = async {
            let mut changes = std::pin::pin!(watcher(self.api::<Pod>(), config).default_backoff());
            loop {
                let pods = self.pods(labels).await;
                if condition(&pods) {
                    return pods;
                }
                changes.try_next().await.expect("the watch goes on");
            }
        };
        let Ok(pods) = tokio::time::timeout(LIMIT, waiting).await else {
            panic!("pods {labels}: not within {LIMIT:?}; last seen: {:?}", self.pods(labels).await);
        };
        pods
    }

    pub(super) async fn pods(&self, labels: &str) -> Vec<Pod> {
        self.api::<Pod>()
            .list(&ListParams::default().labels(labels))
            .await
            .expect("the pods are listed")
            .items
    }

    /// Prints what a person would look at first.
    pub(super) async fn print_pods_and_events(&self) {
        let pods = self.api::<Pod>().list(&ListParams::default()).await;
        for pod in pods.into_iter().flatten() {
            let status = serde_json::to_string(&pod.status).unwrap_or_default();
            say(&format!("{}: pod {}: {status}", self.namespace, pod.name_any()));
        }
        let events = self.api::<Event>().list(&ListParams::default()).await;
        for event in events.into_iter().flatten() {
            say(&format!("{}: {:?} {:?}", self.namespace, event.reason, event.message));
        }
    }
}

/// A Deployment of the stub. Its name is also its label `app`.
pub(super) fn deployment(sandbox: &Sandbox, name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "labels": { "app": name } },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "automountServiceAccountToken": false,
                    "terminationGracePeriodSeconds": 2,
                    "containers": [{
                        "name": "stub",
                        "image": sandbox.images.stub,
                        "imagePullPolicy": "IfNotPresent",
                        "args": ["--host", "0.0.0.0", "--port", "8000"],
                        "ports": [{ "name": "http", "containerPort": 8000 }],
                        "readinessProbe": { "httpGet": { "path": "/healthz", "port": "http" }, "periodSeconds": 1 },
                        "resources": { "requests": { "cpu": "1m", "memory": "8Mi" } },
                    }],
                },
            },
        },
    })
}

/// A Job whose only container is the driver with these arguments.
pub(super) fn job(sandbox: &Sandbox, name: &str, args: &[&str]) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": name },
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "driver",
                        "image": sandbox.images.driver,
                        "imagePullPolicy": "IfNotPresent",
                        "args": args,
                        "resources": { "requests": { "cpu": "1m", "memory": "8Mi" } },
                    }],
                },
            },
        },
    })
}

/// The first container's status.
pub(super) fn container(pod: &Pod) -> Option<&k8s_openapi::api::core::v1::ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

/// Whether a pod has the condition `Ready`.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Returns the code, the reason and the message with which the API server refused a request.
pub(super) fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("a refusal was expected: {other:?}"),
    }
}
