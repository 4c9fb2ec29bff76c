//! An API server that answers every list with the same objects and never reports a change.

use std::future::pending;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

const LIMIT: Duration = Duration::from_mins(3);

/// Waits for two replicas of a Deployment that has these pods.
async fn await_two(pods: Vec<Value>) -> Result<(), Unready> {
    let deployment = json!({
        "metadata": { "name": "inference", "namespace": "default", "uid": "1", "generation": 1 },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "inference" } }, "template": {} },
        "status": { "observedGeneration": 1, "replicas": pods.len(), "updatedReplicas": pods.len() },
    });
    let service = service_fn(move |request: Request<Body>| {
        let (kind, version, items) = match request.uri().path().rsplit('/').next() {
            Some("pods") => ("PodList", "v1", pods.clone()),
            _ => ("DeploymentList", "apps/v1", vec![deployment.clone()]),
        };
        let watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        async move {
            if watch {
                return pending().await;
            }
            let list = json!({
                "apiVersion": version, "kind": kind, "metadata": { "resourceVersion": "1" }, "items": items,
            });
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(list.to_string().into_bytes())))
        }
    });
    let client = Client::new(service, "default");
    let cluster = Cluster { client, namespace: "default".into(), server: "test".into() };
    let workload = Workload {
        name: "inference".into(),
        replicas: 2,
        image: "fake-inference:1".into(),
        selector: "app=inference".into(),
    };
    await_ready(&cluster, &workload, 2, LIMIT).await
}

fn pod(name: &str, status: &Value) -> Value {
    json!({ "metadata": { "name": name, "namespace": "default", "uid": name }, "status": status })
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_not_ready_in_time_is_named_with_what_was_seen_last() {
    let starting = json!({ "conditions": [{ "type": "Ready", "status": "False" }] });
    let unready = await_two(vec![pod("a", &starting), pod("b", &starting)]).await.unwrap_err();
    assert!(matches!(unready, Unready::TimedOut(_)));
    assert_eq!(
        unready.describe("inference"),
        "inference is not ready after 180 s; last seen: 0 of 2 pods ready"
    );
}

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_placed_end_the_wait_long_before_the_deadline() {
    let unschedulable = json!({ "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu" },
    ] });
    let begun = Instant::now();
    let unready = await_two(vec![pod("a", &unschedulable)]).await.unwrap_err();
    assert!(matches!(unready, Unready::Unplaced(_)));
    assert_eq!(unready.describe("inference"), "pods of inference cannot be placed: Insufficient cpu");
    assert!((UNPLACED_FOR..Duration::from_secs(10)).contains(&begun.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_start_ends_the_wait_at_once() {
    let waiting = json!({ "containerStatuses": [{
        "name": "inference", "image": "fake-inference:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } },
    }] });
    let unready = await_two(vec![pod("a", &waiting), pod("b", &waiting)]).await.unwrap_err();
    assert!(matches!(unready, Unready::Broken(_)));
    let expected =
        "inference: pod a cannot start its container (image fake-inference:1): ErrImagePull: not found";
    assert_eq!(unready.describe("inference"), expected);
}
