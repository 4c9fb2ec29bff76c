//! StatefulSets, and autoscalers as stored objects.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::support::{Cluster, shell};

fn set(replicas: u32, policy: &str, container: Value) -> Value {
    json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas, "serviceName": "web", "podManagementPolicy": policy,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": shell("sleep 1000", container, json!({ "terminationGracePeriodSeconds": 1 })),
            },
        },
    })
}

fn complete(object: &Value, replicas: u64) -> bool {
    let status = &object["status"];
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    status["observedGeneration"] == object["metadata"]["generation"]
        && counts.iter().all(|count| status[count].as_u64().unwrap_or(0) == replicas)
}

async fn scale(cluster: &Cluster, replicas: u32) {
    let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    cluster.api::<StatefulSet>().patch_scale("web", &PatchParams::default(), &patch).await.unwrap();
}

async fn names(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.pods("app=web").await;
    let mut names: Vec<_> =
        pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_stateful_set_scales_up_in_order_and_down_from_the_top() {
    let cluster = Cluster::start().await;
    cluster.create::<StatefulSet>(set(3, "OrderedReady", json!({}))).await;
    cluster.await_object::<StatefulSet>("web", |object| complete(object, 3)).await;
    assert_eq!(names(&cluster).await, ["web-0", "web-1", "web-2"]);
    let pods = cluster.pods("app=web").await;
    for pod in &pods {
        let owner = &pod["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["controller"]), (&json!("StatefulSet"), &json!(true)));
        assert_eq!(pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"], pod["metadata"]["name"]);
    }
    scale(&cluster, 1).await;
    cluster.await_object::<StatefulSet>("web", |object| complete(object, 1)).await;
    assert_eq!(names(&cluster).await, ["web-0"]);
    let deleted: Vec<_> = cluster.messages("web").await.into_iter().filter(|text| text.starts_with("delete")).collect();
    assert!(deleted[0].contains("web-2") && deleted[1].contains("web-1"), "{deleted:?}");
    // A pod that is deleted comes back under its name.
    let before = cluster.pods("app=web").await[0]["metadata"]["uid"].clone();
    cluster.api::<Pod>().delete("web-0", &DeleteParams::default()).await.unwrap();
    let is_new = |pod: &Value| pod["metadata"]["uid"] != before && pod["status"]["phase"] == "Running";
    super::support::eventually(|| async {
        let pods = cluster.pods("app=web").await;
        if pods.iter().any(is_new) { Ok(()) } else { Err(format!("{pods:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_is_not_ready_holds_up_the_next_one_unless_the_set_is_parallel() {
    let never = json!({ "readinessProbe": { "exec": { "command": ["false"] }, "periodSeconds": 1 } });
    let cluster = Cluster::start().await;
    cluster.create::<StatefulSet>(set(2, "OrderedReady", never.clone())).await;
    let first = |object: &Value| object["status"]["replicas"] == 1;
    cluster.await_object::<StatefulSet>("web", first).await;
    cluster
        .await_object::<Pod>("web-0", |pod| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|one| one["reason"] == "ContainersNotReady"))
        })
        .await;
    assert_eq!(names(&cluster).await, ["web-0"]);
    cluster.delete::<StatefulSet>("web").await;
    cluster.await_gone::<StatefulSet>("web").await;
    cluster.await_gone::<Pod>("web-0").await;
    cluster.create::<StatefulSet>(set(2, "Parallel", never)).await;
    cluster.await_object::<StatefulSet>("web", |object| object["status"]["replicas"] == 2).await;
    assert_eq!(names(&cluster).await, ["web-0", "web-1"]);
}

#[tokio::test]
async fn a_new_template_replaces_the_pods_from_the_top() {
    let cluster = Cluster::start().await;
    cluster.create::<StatefulSet>(set(2, "OrderedReady", json!({}))).await;
    let before = cluster.await_object::<StatefulSet>("web", |object| complete(object, 2)).await;
    let template = json!({ "metadata": { "annotations": { "round": "2" } } });
    let patch = Patch::Merge(json!({ "spec": { "template": template } }));
    cluster.api::<StatefulSet>().patch("web", &PatchParams::default(), &patch).await.unwrap();
    let is_new = |object: &Value| {
        complete(object, 2) && object["status"]["currentRevision"] != before["status"]["currentRevision"]
    };
    cluster.await_object::<StatefulSet>("web", is_new).await;
    let pods = cluster.pods("app=web").await;
    assert!(pods.iter().all(|pod| pod["metadata"]["annotations"]["round"] == "2"), "{pods:?}");
    let deleted: Vec<_> = cluster.messages("web").await.into_iter().filter(|text| text.starts_with("delete")).collect();
    assert!(deleted[0].contains("web-1") && deleted[1].contains("web-0"), "{deleted:?}");
}

#[tokio::test]
async fn an_autoscaler_is_stored_with_its_defaults_and_scales_nothing() {
    let cluster = Cluster::start().await;
    let target = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web" });
    let hpa = json!({ "metadata": { "name": "web" }, "spec": { "maxReplicas": 4, "scaleTargetRef": target } });
    let created = cluster.create::<HorizontalPodAutoscaler>(hpa).await;
    assert_eq!(created.spec.unwrap().min_replicas, Some(1));
}
