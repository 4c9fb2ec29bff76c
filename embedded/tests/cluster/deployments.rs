//! Deployments and ReplicaSets.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::support::{Cluster, eventually, shell};

fn deployment(replicas: u32, strategy: &Value) -> Value {
    json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas,
            "strategy": strategy,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": shell("sleep 1000", json!({}), json!({})),
            },
        },
    })
}

/// Whether the rollout is complete: all replicas have the newest template and are available, and the status
/// is up to date.
fn complete(object: &Value, replicas: u64) -> bool {
    let status = &object["status"];
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    status["observedGeneration"] == object["metadata"]["generation"]
        && counts.iter().all(|count| status[count].as_u64().unwrap_or(0) == replicas)
}

async fn change(cluster: &Cluster, change: Value) {
    let api = cluster.api::<Deployment>();
    api.patch("web", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

#[tokio::test]
async fn a_deployment_scales_to_eight_replicas_and_back() {
    let cluster = Cluster::start().await;
    cluster.create::<Deployment>(deployment(1, &json!({}))).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 1)).await;
    let first = cluster.pods("app=web").await.remove(0);
    // Creation times have whole seconds. After this pause the first pod is older than the others.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    change(&cluster, json!({ "spec": { "replicas": 8 } })).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 8)).await;
    let pods = cluster.pods("app=web").await;
    let addresses: BTreeSet<&str> = pods.iter().filter_map(|pod| pod["status"]["podIP"].as_str()).collect();
    assert_eq!(addresses.len(), 8, "every pod has its own address");
    change(&cluster, json!({ "spec": { "replicas": 1 } })).await;
    let scaled = cluster.await_object::<Deployment>("web", |object| complete(object, 1)).await;
    assert_eq!(scaled["status"]["conditions"][0]["type"], "Available");
    let left = cluster.pods("app=web").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["metadata"]["uid"], first["metadata"]["uid"], "the oldest pod stays");
}

fn replica_failure(object: &Value) -> Option<&str> {
    let conditions = object["status"]["conditions"].as_array()?;
    let failure = conditions.iter().find(|condition| condition["type"] == "ReplicaFailure")?;
    assert_eq!((&failure["status"], &failure["reason"]), (&json!("True"), &json!("FailedCreate")));
    failure["message"].as_str()
}

#[tokio::test]
async fn pods_with_a_missing_account_are_refused_until_it_exists() {
    let cluster = Cluster::start().await;
    let mut object = deployment(1, &json!({}));
    object["spec"]["template"]["spec"]["serviceAccountName"] = json!("late");
    cluster.create::<Deployment>(object).await;
    let failed = |object: &Value| replica_failure(object).is_some();
    let object = cluster.await_object::<Deployment>("web", failed).await;
    let message = replica_failure(&object).unwrap();
    assert!(
        message.starts_with("pods \"web-") && message.ends_with("serviceaccount \"late\" not found"),
        "{message}"
    );
    assert!(cluster.pods("app=web").await.is_empty());
    cluster.create::<ServiceAccount>(json!({ "metadata": { "name": "late" } })).await;
    let object = cluster.await_object::<Deployment>("web", |object| complete(object, 1)).await;
    assert_eq!(replica_failure(&object), None);
}

#[tokio::test]
async fn too_many_pods_are_refused_and_the_cluster_still_answers() {
    let cluster = Cluster::start().await;
    cluster.create::<Deployment>(deployment(1_000_000, &json!({}))).await;
    let object = cluster.await_object::<Deployment>("web", |object| replica_failure(object).is_some()).await;
    let message = replica_failure(&object).unwrap();
    assert!(message.contains("exceeded quota") && message.contains("limited: pods=2000"), "{message}");
}

#[tokio::test]
async fn a_deleted_pod_is_replaced() {
    let cluster = Cluster::start().await;
    cluster.create::<Deployment>(deployment(2, &json!({}))).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 2)).await;
    let name = cluster.pods("app=web").await[0]["metadata"]["name"].as_str().unwrap().to_owned();
    cluster.delete::<Pod>(&name).await;
    cluster.await_gone::<Pod>(&name).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 2)).await;
}

#[tokio::test]
async fn a_rollout_stays_within_max_surge_and_max_unavailable() {
    let cluster = Cluster::start().await;
    let strategy = json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
    cluster.create::<Deployment>(deployment(3, &strategy)).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 3)).await;
    let template = json!({ "metadata": { "annotations": { "version": "2" } } });
    change(&cluster, json!({ "spec": { "template": template } })).await;
    eventually(|| async {
        let object = serde_json::to_value(cluster.api::<Deployment>().get("web").await.unwrap()).unwrap();
        let count = |name: &str| object["status"][name].as_u64().unwrap_or(0);
        assert!(count("availableReplicas") >= 3 && count("replicas") <= 4, "{:#}", object["status"]);
        if complete(&object, 3) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    })
    .await;
    let pods = cluster.pods("app=web").await;
    assert!(pods.iter().all(|pod| pod["metadata"]["annotations"]["version"] == "2"));
    let sets = cluster.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap();
    assert_eq!(sets.items.len(), 2, "the old set is kept without pods");
    let revision = cluster.api::<Deployment>().get("web").await.unwrap().metadata.annotations.unwrap();
    assert_eq!(revision["deployment.kubernetes.io/revision"], "2");
}

#[tokio::test]
async fn recreate_ends_all_old_pods_before_it_starts_new_ones() {
    let cluster = Cluster::start().await;
    cluster.create::<Deployment>(deployment(2, &json!({ "type": "Recreate" }))).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 2)).await;
    let template = json!({ "metadata": { "annotations": { "version": "2" } } });
    change(&cluster, json!({ "spec": { "template": template } })).await;
    eventually(|| async {
        let all = cluster.api::<Pod>().list(&ListParams::default().labels("app=web")).await.unwrap().items;
        let hashes: BTreeSet<_> =
            all.iter().filter_map(|pod| pod.metadata.labels.clone()?.remove("pod-template-hash")).collect();
        assert!(hashes.len() <= 1, "pods of two templates at the same time: {hashes:?}");
        let object = serde_json::to_value(cluster.api::<Deployment>().get("web").await.unwrap()).unwrap();
        if complete(&object, 2) { Ok(()) } else { Err(format!("{:#}", object["status"])) }
    })
    .await;
}

#[tokio::test]
async fn dependents_are_deleted_or_orphaned_as_requested() {
    let cluster = Cluster::start().await;
    cluster.create::<Deployment>(deployment(2, &json!({}))).await;
    cluster.await_object::<Deployment>("web", |object| complete(object, 2)).await;
    cluster.api::<Deployment>().delete("web", &DeleteParams::orphan()).await.unwrap();
    cluster.await_gone::<Deployment>("web").await;
    let sets = cluster.api::<ReplicaSet>().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(sets.len(), 1);
    assert!(sets[0].metadata.owner_references.is_none());
    assert_eq!(cluster.pods("app=web").await.len(), 2);
    let name = sets[0].metadata.name.clone().unwrap();
    cluster.api::<ReplicaSet>().delete(&name, &DeleteParams::foreground()).await.unwrap();
    cluster.await_gone::<ReplicaSet>(&name).await;
    let pods = cluster.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
    assert!(pods.is_empty(), "foreground deletion deletes the pods first");
}
