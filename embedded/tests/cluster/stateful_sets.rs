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
    for (replicas, left) in [(2, vec!["web-0", "web-1"]), (1, vec!["web-0"])] {
        scale(&cluster, replicas).await;
        cluster.await_object::<StatefulSet>("web", |object| complete(object, replicas.into())).await;
        assert_eq!(names(&cluster).await, left);
    }
    assert!(cluster.reasons("web").await.contains(&"SuccessfulDelete".to_owned()));
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
    let change = async |change: Value| {
        let (api, patch) = (cluster.api::<StatefulSet>(), Patch::Merge(json!({ "spec": change })));
        api.patch("web", &PatchParams::default(), &patch).await.unwrap();
    };
    let partition = |from: u32| json!({ "updateStrategy": { "rollingUpdate": { "partition": from } } });
    change(partition(1)).await;
    change(json!({ "template": template })).await;
    let is_half = |object: &Value| {
        let status = &object["status"];
        status["observedGeneration"] == object["metadata"]["generation"]
            && (&status["updatedReplicas"], &status["readyReplicas"]) == (&json!(1), &json!(2))
    };
    cluster.await_object::<StatefulSet>("web", is_half).await;
    let rounds = async || {
        let pods = cluster.pods("app=web").await;
        let of = |name: &str| pods.iter().find(|pod| pod["metadata"]["name"] == name).unwrap();
        ["web-0", "web-1"].map(|name| of(name)["metadata"]["annotations"]["round"] == "2")
    };
    assert_eq!(rounds().await, [false, true], "the last pod is the first");
    change(partition(0)).await;
    let is_new = |object: &Value| {
        complete(object, 2) && object["status"]["currentRevision"] != before["status"]["currentRevision"]
    };
    cluster.await_object::<StatefulSet>("web", is_new).await;
    assert_eq!(rounds().await, [true, true]);
}

#[tokio::test]
async fn an_autoscaler_is_stored_with_its_defaults_and_scales_nothing() {
    let cluster = Cluster::start().await;
    let target = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web" });
    let hpa =
        json!({ "metadata": { "name": "web" }, "spec": { "maxReplicas": 4, "scaleTargetRef": target } });
    let created = cluster.create::<HorizontalPodAutoscaler>(hpa).await;
    assert_eq!(created.spec.unwrap().min_replicas, Some(1));
}
