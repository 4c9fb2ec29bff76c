//! A service that is a StatefulSet, beside pods of others with the same labels, and with an autoscaler.

use std::path::Path;

use e2e::results::{only_run, records};
use e2e::tool::Ended;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::deployed::Deployed;

const SETTINGS: &str = "{replicas: [2, 1], workers: [1], users: [2], duration: 3s, max_duration: 3s, cooldown: 0s, \
                        inference: {workload: bert, url: 'http://bert:8000'}";

/// The stub as a workload of another kind.
fn workload(labels: &Value, more: &Value) -> Value {
    let probe = json!({ "httpGet": { "path": "/healthz", "port": 8000 }, "periodSeconds": 1 });
    let container = json!({
        "name": "bert", "image": "fake-inference:1", "args": ["--host", "0.0.0.0", "--port", "8000"],
        "readinessProbe": probe,
    });
    let template = json!({
        "metadata": { "labels": labels },
        "spec": { "containers": [container], "terminationGracePeriodSeconds": 2 },
    });
    let mut spec = json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": template });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

async fn create<K>(client: &Client, name: &str, spec: Value)
where
    K: Resource<Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + k8s_openapi::serde::Serialize
        + k8s_openapi::serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let object = serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec })).unwrap();
    Api::<K>::default_namespaced(client.clone()).create(&PostParams::default(), &object).await.unwrap();
}

/// What the autoscaler does, and whether it is marked as paused.
async fn autoscaler(client: &Client) -> (Value, bool) {
    let api: Api<HorizontalPodAutoscaler> = Api::default_namespaced(client.clone());
    let found = serde_json::to_value(api.get("scale-bert").await.unwrap()).unwrap();
    (found["spec"].clone(), !found["metadata"]["annotations"]["locust-matrix/paused"].is_null())
}

/// The names of the pods of each row, by its replicas.
fn measured(results: &Path) -> Vec<(u64, Vec<String>)> {
    let name = |pod: &Value| pod["name"].as_str().unwrap().to_owned();
    let row = |record: &Value| {
        let pods = record["membership"]["replicas_before"].as_array().unwrap();
        (record["scenario"]["replicas"].as_u64().unwrap(), pods.iter().map(name).collect())
    };
    records(&only_run(results)).iter().map(row).collect()
}

#[track_caller]
fn assert_measured(ended: &Ended, results: &Path) {
    // A window of 3 s may be too short for a verdict of VALID. What matters here is whose pods are measured.
    assert!(matches!(ended.code, Some(0 | 5)), "{:?}: {}", ended.code, ended.err);
    let expected = [(2, vec!["bert-0".to_owned(), "bert-1".into()]), (1, vec!["bert-0".into()])];
    assert_eq!(measured(results), expected, "{}", ended.err);
}

/// A StatefulSet is found by its name, its own pods are measured, and an autoscaler is refused, or paused and put
/// back.
pub(crate) async fn a_stateful_set_is_measured_and_its_autoscaler_paused(cluster: &Cluster, folder: &Path) {
    let deployed = Deployed::to(cluster).await;
    let client = deployed.client();
    let labels = json!({ "app": "bert" });
    create::<StatefulSet>(client, "bert", workload(&labels, &json!({ "serviceName": "bert" }))).await;
    // The canary's pods have the labels of the service's, and the Service routes to them, too.
    let canary = workload(&json!({ "app": "bert", "track": "canary" }), &json!({}));
    create::<Deployment>(client, "bert-canary", canary).await;
    let ports = json!({ "selector": labels, "ports": [{ "port": 8000, "targetPort": 8000 }] });
    create::<Service>(client, "bert", ports).await;

    let first = folder.join("plain");
    let ended = deployed.run_foreign(&format!("{SETTINGS}}}"), &first);
    assert!(ended.err.contains("service: statefulset default/bert"), "{}", ended.err);
    assert_measured(&ended, &first);

    let target = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "bert" });
    let spec = json!({ "minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target });
    create::<HorizontalPodAutoscaler>(client, "scale-bert", spec).await;
    let before = autoscaler(client).await;
    let refused = deployed.run_foreign(&format!("{SETTINGS}}}"), &folder.join("refused"));
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    let words = "HorizontalPodAutoscaler scale-bert scales statefulset bert between 2 and 4";
    assert!(refused.err.contains(words) && refused.err.contains("--pause-autoscaler"), "{}", refused.err);

    let paused = folder.join("paused");
    let ended = deployed.run_foreign(&format!("{SETTINGS}, pause_autoscaler: true}}"), &paused);
    assert!(ended.err.contains("scale-bert is paused until the end of the run"), "{}", ended.err);
    assert_measured(&ended, &paused);
    assert_eq!(autoscaler(client).await, before, "it is as it was: {}", ended.err);
}
