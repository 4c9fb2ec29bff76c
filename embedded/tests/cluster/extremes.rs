//! Values at the end of their range. They may be refused, but the cluster must go on.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::support::{Cluster, shell};

/// Creates an object. The server may refuse it.
async fn try_create<K>(cluster: &Cluster, object: Value)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = cluster.api();
    let object = serde_json::from_value(object).unwrap();
    match api.create(&PostParams::default(), &object).await {
        Ok(_) | Err(kube::Error::Api(_)) => {}
        Err(error) => panic!("the server does not answer: {error}"),
    }
}

fn deployment(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": shell("sleep 1000", json!({}), json!({})),
            },
        },
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object
}

#[tokio::test]
async fn the_largest_numbers_do_not_end_the_cluster() {
    let mut cluster = Cluster::start().await;
    let (small, large) = (i32::MAX, i64::MAX);
    for (i, surge) in ["9000000000000000000%", "99999999999999999999%", "2147483647%"].iter().enumerate() {
        let strategy = json!({ "rollingUpdate": { "maxSurge": surge, "maxUnavailable": surge } });
        try_create::<Deployment>(&cluster, deployment(&format!("d{i}"), &json!({ "strategy": strategy })))
            .await;
        let strategy = json!({ "rollingUpdate": { "maxSurge": surge, "maxUnavailable": 0 } });
        try_create::<Deployment>(&cluster, deployment(&format!("s{i}"), &json!({ "strategy": strategy })))
            .await;
    }
    let strategy = json!({ "rollingUpdate": { "maxSurge": small, "maxUnavailable": small } });
    let numbers = json!({
        "strategy": strategy, "minReadySeconds": small - 1, "progressDeadlineSeconds": small,
        "revisionHistoryLimit": small,
    });
    try_create::<Deployment>(&cluster, deployment("numbers", &numbers)).await;
    let spec =
        shell("exit 1", json!({}), json!({ "restartPolicy": "Never", "activeDeadlineSeconds": large }));
    let spec = json!({
        "template": { "spec": spec }, "activeDeadlineSeconds": large, "ttlSecondsAfterFinished": small,
        "backoffLimit": small, "completions": small,
    });
    try_create::<Job>(&cluster, json!({ "metadata": { "name": "job" }, "spec": spec })).await;
    let probe = json!({
        "exec": { "command": ["/bin/false"] }, "initialDelaySeconds": 0, "periodSeconds": small,
        "timeoutSeconds": small, "failureThreshold": 1,
    });
    // The failed probe ends the container within its grace period.
    let container = json!({ "livenessProbe": probe });
    let grace = json!({ "terminationGracePeriodSeconds": large });
    cluster.pod("patient", "sleep 1000", container, grace).await;
    let restarted = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_i64() >= Some(1);
    cluster.await_object::<Pod>("patient", restarted).await;
    cluster.delete::<Pod>("patient").await;

    // Every controller still works.
    cluster.create::<Deployment>(deployment("last", &json!({}))).await;
    cluster.await_object::<Deployment>("last", |object| object["status"]["readyReplicas"] == 2).await;
    cluster.await_object::<Job>("job", |object| object["status"]["failed"].as_i64() >= Some(1)).await;
    assert_eq!(cluster.process.try_wait().unwrap(), None);
}
