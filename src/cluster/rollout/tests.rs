//! An API server that answers every list with the same objects and never reports a change. As real ones do, it ends each
//! watch after the time that the watch asks for, and the client gives up an answer that stands still.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Frame;
use tokio::time::Sleep;
use tokio_util::bytes::Bytes;
use tower::ServiceBuilder;
use tower_http::timeout::ResponseBodyTimeoutLayer;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::wait::silent;

const LIMIT: Duration = Duration::from_mins(3);
const PATIENCE: Patience = Patience { ready: LIMIT, place: Duration::from_millis(1500), had_load: true };

/// The body of an answer.
enum Answer {
    /// Of a watch without an event.
    Quiet(Pin<Box<Sleep>>),
    /// Of a list.
    Whole(Option<Bytes>),
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Quiet(sleep) => sleep.as_mut().poll(context).map(|()| None),
            Self::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }
}

/// The time for which a watch asks, else the hour of a real server.
fn asked(query: &str) -> Duration {
    let seconds = query.split('&').find_map(|one| one.strip_prefix("timeoutSeconds="));
    Duration::from_secs(seconds.map_or(3600, |seconds| seconds.parse().unwrap()))
}

/// Waits for two replicas of a Deployment that has these pods.
async fn await_two(pods: Vec<Value>) -> Result<(), Unready> {
    await_two_aloud(pods, None, &silent).await
}

/// The same, with what the user hears.
async fn await_two_aloud(
    pods: Vec<Value>,
    overdue: Option<&Overdue>,
    tell: &Tell<'_>,
) -> Result<(), Unready> {
    await_uid("1", pods, overdue, tell).await
}

/// The same, for the Deployment with this UID; the server's has the UID 1.
async fn await_uid(
    uid: &str,
    pods: Vec<Value>,
    overdue: Option<&Overdue>,
    tell: &Tell<'_>,
) -> Result<(), Unready> {
    await_in(uid, &json!([]), pods, overdue, tell).await
}

/// The same, with these conditions of the Deployment.
async fn await_in(
    uid: &str,
    conditions: &Value,
    pods: Vec<Value>,
    overdue: Option<&Overdue>,
    tell: &Tell<'_>,
) -> Result<(), Unready> {
    let deployment = json!({
        "metadata": { "name": "inference", "namespace": "default", "uid": "1", "generation": 1 },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "inference" } }, "template": {} },
        "status": { "observedGeneration": 1, "replicas": pods.len(), "updatedReplicas": pods.len(), "conditions": conditions },
    });
    let service = service_fn(move |request: Request<Body>| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (kind, version, items) = match request.uri().path().rsplit('/').next() {
            Some("pods") => ("PodList", "v1", pods.clone()),
            Some("events") if query.contains("TriggeredScaleUp") => {
                ("EventList", "v1", vec![node_announced()])
            }
            Some("events") => ("EventList", "v1", vec![probe_failed()]),
            _ => ("DeploymentList", "apps/v1", vec![deployment.clone()]),
        };
        async move {
            if query.contains("watch=true") {
                return Ok(Response::new(Answer::Quiet(Box::pin(tokio::time::sleep(asked(&query))))));
            }
            let list = json!({
                "apiVersion": version, "kind": kind, "metadata": { "resourceVersion": "1" }, "items": items,
            });
            Ok::<_, Infallible>(Response::new(Answer::Whole(Some(Bytes::from(list.to_string())))))
        }
    });
    let stands_still = ResponseBodyTimeoutLayer::new(super::super::connection::STANDS_STILL);
    let client = Client::new(ServiceBuilder::new().layer(stands_still).service(service), "default");
    let cluster = Cluster { client, namespace: "default".into(), server: "test".into() };
    let workload = Workload { uid: uid.into(), ..Workload::for_tests("inference") };
    await_ready(&cluster, &workload, 2, PATIENCE, overdue, tell).await
}

fn pod(name: &str, status: &Value) -> Value {
    let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "inference", "uid": "1", "controller": true });
    let metadata = json!({ "name": name, "namespace": "default", "uid": name, "ownerReferences": [owner] });
    json!({ "metadata": metadata, "status": status })
}

fn probe_failed() -> Value {
    json!({
        "metadata": {}, "involvedObject": {}, "reason": "Unhealthy", "type": "Warning",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 404",
    })
}

/// An autoscaler announces a node for the pod `expected`.
fn node_announced() -> Value {
    json!({
        "metadata": {}, "involvedObject": { "uid": "expected" }, "reason": "TriggeredScaleUp", "type": "Normal",
        "message": "pod triggered scale-up", "lastTimestamp": Timestamp::now().to_string(),
    })
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_not_ready_in_time_is_named_with_what_was_seen_last() {
    let starting = json!({ "conditions": [{ "type": "Ready", "status": "False" }] });
    let unready = await_two(vec![pod("a", &starting), pod("b", &starting)]).await.unwrap_err();
    assert!(matches!(unready, Unready::TimedOut(_)));
    assert_eq!(
        unready.describe("inference"),
        "inference is not ready after 180 s; last seen: 0 of 2 pods ready; a: has not started"
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
    assert!((PATIENCE.place..Duration::from_secs(10)).contains(&begun.elapsed()));
    // A node that was announced and does not come: the pods had all of the time, and still have no place.
    let begun = Instant::now();
    let unready = await_two(vec![pod("expected", &unschedulable)]).await.unwrap_err();
    assert!(matches!(unready, Unready::Unplaced(_)), "{unready:?}");
    let words = unready.describe("inference");
    assert!(words.contains("Insufficient cpu; TriggeredScaleUp: pod triggered scale-up"), "{words}");
    assert!(begun.elapsed() >= LIMIT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_from_before_the_wait_may_be_over() {
    let refused = async |since: &str| {
        let conditions = json!([{
            "type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team", "lastTransitionTime": since,
        }]);
        let begun = Instant::now();
        let unready = await_in("1", &conditions, Vec::new(), None, &|_, _| {}).await.unwrap_err();
        assert!(matches!(unready, Unready::Unplaced(_)));
        (unready.describe("inference"), begun.elapsed())
    };
    let (words, took) = refused(&Timestamp::now().to_string()).await;
    assert_eq!(words, "pods of inference cannot be placed: exceeded quota: team");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (words, took) = refused("2026-01-01T10:00:00Z").await;
    assert!(words.ends_with("exceeded quota: team (since 10:00:00 UTC, and not tried again)"), "{words}");
    assert!((REFUSED_BEFORE_FOR..LIMIT).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_start_ends_the_wait_at_once() {
    let waiting = json!({ "containerStatuses": [{
        "name": "inference", "image": "fake-inference:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } },
    }] });
    let unready = await_two(vec![pod("a", &waiting), pod("b", &waiting)]).await.unwrap_err();
    assert!(matches!(unready, Unready::Broken(_)));
    let expected = "inference: pod a: cannot start container inference (image fake-inference:1): ErrImagePull: not found";
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
    await_two_aloud(vec![pod("a", &pulling)], None, &tell).await.unwrap_err();
    let told = told.into_inner().unwrap();
    assert_eq!(told.len(), 17, "every 10 s of 180 s: {told:?}");
    let expected = "0 of 2 pods ready; a: container inference waits: ContainerCreating; Readiness probe failed: HTTP \
                    probe failed with statuscode: 404";
    assert_eq!(told[0], (10, expected.into()), "with the pod's latest warning");
}

#[tokio::test(start_paused = true)]
async fn pods_of_others_with_the_same_labels_do_not_count() {
    let ready = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    let mut canary = pod("canary", &ready);
    canary["metadata"]["ownerReferences"][0]["uid"] = json!("2");
    canary["metadata"]["ownerReferences"][0]["kind"] = json!("Job");
    let unready = await_two(vec![pod("a", &ready), canary]).await.unwrap_err();
    assert!(unready.describe("inference").ends_with("1 of 2 pods ready"), "{unready:?}");
}

#[tokio::test(start_paused = true)]
async fn terminating_pods_have_the_time_of_their_grace_period_and_the_user_hears_of_it_at_once() {
    let ready = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    let mut leaving = pod("old", &ready);
    let by = Timestamp::now() + jiff::SignedDuration::from_secs(600);
    leaving["metadata"]["deletionTimestamp"] = json!(by.to_string());
    leaving["metadata"]["deletionGracePeriodSeconds"] = json!(600);
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |waited: Duration, seen: &str| told.lock().unwrap().push((waited.as_secs(), seen.to_owned()));
    let begun = Instant::now();
    let pods = vec![pod("a", &ready), pod("b", &ready), leaving];
    let unready = await_two_aloud(pods, None, &tell).await.unwrap_err();
    // The workload's own grace period is 30 s, and no wait is longer than that allows.
    let waited = begun.elapsed();
    assert!(waited > LIMIT && waited <= LIMIT * 2 + Duration::from_mins(1), "{waited:?}");
    assert!(matches!(unready, Unready::TimedOut(_)));
    let told = told.into_inner().unwrap();
    assert_eq!(told[0].0, 0, "{told:?}");
    assert!(told[0].1.contains("1 terminating for up to") && told[0].1.contains("old"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_was_created_anew_is_not_the_one_of_the_run() {
    let ended = await_uid("0", vec![], None, &silent).await.unwrap_err();
    assert!(ended.describe("inference").contains("created anew"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_pods_are_not_waited_for_twice() {
    let overdue = Overdue::default();
    let starting =
        json!({ "conditions": [{ "type": "Ready", "status": "False", "message": "target not registered" }] });
    let pods = || vec![pod("a", &starting), pod("b", &starting)];
    let first = await_two_aloud(pods(), Some(&overdue), &silent).await.unwrap_err();
    assert!(matches!(first, Unready::TimedOut(_)), "{first:?}");
    let begun = Instant::now();
    let second = await_two_aloud(pods(), Some(&overdue), &silent).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let words = second.describe("inference");
    assert!(words.contains("target not registered") && words.contains("not waited for again"), "{words}");
    let begun = Instant::now();
    await_two_aloud(vec![pod("c", &starting)], Some(&overdue), &silent).await.unwrap_err();
    assert!(begun.elapsed() >= LIMIT, "another pod has all of the time");
}
