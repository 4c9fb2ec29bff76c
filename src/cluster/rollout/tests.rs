//! An API server that answers every list with the same objects and never reports a change.

use std::future::pending;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::wait::silent;

const LIMIT: Duration = Duration::from_mins(3);

/// Waits for two replicas of a Deployment that has these pods.
async fn await_two(pods: Vec<Value>) -> Result<(), Unready> {
    await_two_aloud(pods, &silent).await
}

/// The same, with what the user hears.
async fn await_two_aloud(pods: Vec<Value>, tell: &Tell<'_>) -> Result<(), Unready> {
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
    await_ready(&cluster, &workload, 2, LIMIT, tell).await
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

#[tokio::test(start_paused = true)]
async fn a_wait_that_lasts_says_what_it_waits_for() {
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |waited: Duration, seen: &str| told.lock().unwrap().push((waited.as_secs(), seen.to_owned()));
    let pulling = json!({ "containerStatuses": [{
        "name": "inference", "image": "fake-inference:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": "ContainerCreating" } },
    }] });
    await_two_aloud(vec![pod("a", &pulling)], &tell).await.unwrap_err();
    let told = told.into_inner().unwrap();
    assert_eq!(told.len(), 17, "every 10 s of 180 s: {told:?}");
    assert_eq!(told[0], (10, "0 of 2 pods ready (ContainerCreating)".into()));
}

#[test]
fn nothing_is_known_until_a_list_is_complete_and_a_new_list_replaces_the_old_one() {
    let one = |name: &str| serde_json::from_value::<Pod>(pod(name, &json!({}))).unwrap();
    let names =
        |pods: &Listed<Pod>| pods.complete().map(|known| known.keys().cloned().collect::<Vec<_>>().join(" "));
    let mut pods = Listed::default();
    for (event, known) in vec![
        (Event::Init, None),
        (Event::InitApply(one("a")), None),
        (Event::InitApply(one("b")), None),
        (Event::InitDone, Some("a b")),
        (Event::Apply(one("c")), Some("a b c")),
        (Event::Delete(one("a")), Some("b c")),
        // The watch was lost for a while, in which b was deleted.
        (Event::Init, Some("b c")),
        (Event::InitApply(one("c")), Some("b c")),
        (Event::InitDone, Some("c")),
    ] {
        pods.apply(event);
        assert_eq!(names(&pods).as_deref(), known);
    }
}
