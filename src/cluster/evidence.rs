//! What the cluster tells beyond the status of a pod: the last line of a crashed container's log, the answer of a
//! failed probe, the refusal of a pod. Without the permission to read these, there is nothing to tell.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use tokio::time::timeout;

use super::connection::Cluster;
use super::last_words::log_of_ended;
use super::pod_state::{Cause, Evidence, last_line};
use super::workload::Workload;

/// How long the API server may take. The wait goes on without it.
const WITHIN: Duration = Duration::from_secs(5);

/// The reasons of the events by which cluster-autoscaler (also that of GKE Autopilot) and Karpenter tell that a node
/// comes for a pod.
const NODE_COMES: [&str; 2] = ["TriggeredScaleUp", "Nominated"];
/// An announced node that has not come after this time does not come: cluster-autoscaler and Karpenter give up on a node
/// after 15 min, too (`--max-node-provision-time`, and the registration of a NodeClaim).
const NODE_COMES_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// Whether a node comes for pods that have no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NewNode {
    /// An autoscaler has announced one, in these words.
    Announced(String),
    /// No autoscaler says so, or its events may not be read.
    None,
    /// The API server did not answer.
    Unknown,
}

/// A cause in words, with the pod's name and with what the cluster tells about it.
pub(super) async fn explained(cluster: &Cluster, pod: &Pod, cause: &Cause) -> String {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let more = timeout(WITHIN, more(cluster, pod, &cause.evidence)).await.ok().flatten();
    let more = more.filter(|more| !cause.words.contains(more.as_str()));
    let label = if matches!(cause.evidence, Evidence::Log(_)) { "last line of its log: " } else { "" };
    match more {
        Some(more) => format!("pod {name}: {}; {label}{more}", cause.words),
        None => format!("pod {name}: {}", cause.words),
    }
}

async fn more(cluster: &Cluster, pod: &Pod, evidence: &Evidence) -> Option<String> {
    match evidence {
        Evidence::None => None,
        Evidence::Log(container) => {
            let name = pod.metadata.name.as_deref()?;
            // Of a container that runs again, the log of the one before tells why that ended.
            last_line(&log_of_ended(cluster, name, container, true).await?)
        }
        Evidence::Warning => {
            let uid = pod.metadata.uid.as_deref()?;
            let events = list(cluster, &format!("involvedObject.uid={uid}")).await.ok()?;
            let warnings = events.into_iter().filter(|event| event.type_.as_deref() == Some("Warning"));
            last_line(&warnings.max_by_key(seen_at)?.message?)
        }
    }
}

/// Why the server refuses to create the workload's pods, if it has refused one since `begun`. Neither a StatefulSet
/// nor most custom kinds say it in their status.
pub(super) async fn refusal(cluster: &Cluster, workload: &Workload, begun: Timestamp) -> Option<String> {
    let events = timeout(WITHIN, list(cluster, "reason=FailedCreate")).await.ok()?.ok()?;
    let is_ours = |event: &Event| {
        let object = &event.involved_object;
        let name = object.name.as_deref().unwrap_or_default();
        let rest = name.strip_prefix(&workload.name);
        object.uid.as_deref() == Some(&workload.uid)
            || object.kind.as_deref() == Some("ReplicaSet") && rest.is_some_and(|rest| rest.starts_with('-'))
    };
    let refusals = events.into_iter().filter(|event| is_ours(event) && is_since(event, begun));
    last_line(refusal_in(&refusals.max_by_key(seen_at)?.message?))
}

/// What an autoscaler of nodes has said in the last 15 min about the pods that have no place. The wait that heard it first may
/// have ended since, and the same pods wait on.
pub(super) async fn new_node(cluster: &Cluster, pods: &[Pod]) -> NewNode {
    let since = Timestamp::now() - NODE_COMES_WITHIN;
    let has_no_node = |pod: &&Pod| pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none());
    let is_ours = |event: &Event| {
        let mut waiting = pods.iter().filter(has_no_node);
        is_since(event, since) && waiting.any(|pod| pod.metadata.uid == event.involved_object.uid)
    };
    let mut otherwise = NewNode::None;
    for reason in NODE_COMES {
        let events = match timeout(WITHIN, list(cluster, &format!("reason={reason}"))).await {
            Ok(Ok(events)) => events,
            // Without the permission, waiting does not help.
            Ok(Err(kube::Error::Api(status))) if status.code < 500 && status.code != 429 => continue,
            Ok(Err(_)) | Err(_) => {
                otherwise = NewNode::Unknown;
                continue;
            }
        };
        let newest = events.into_iter().filter(is_ours).max_by_key(seen_at);
        if let Some(message) = newest.and_then(|event| last_line(&event.message?)) {
            return NewNode::Announced(format!("{reason}: {message}"));
        }
    }
    otherwise
}

/// The server's own words in the message of an event about a pod that could not be created.
pub fn refusal_in(message: &str) -> &str {
    ["(combined from similar events): ", "Error creating: "]
        .into_iter()
        .fold(message, |rest, prefix| rest.strip_prefix(prefix).unwrap_or(rest))
}

async fn list(cluster: &Cluster, fields: &str) -> kube::Result<Vec<Event>> {
    let events = cluster.api::<Event>().list(&ListParams::default().fields(fields)).await;
    events.map(|events| events.items)
}

/// Whether the event was seen since this time. Events have whole seconds.
fn is_since(event: &Event, begun: Timestamp) -> bool {
    seen_at(event).is_some_and(|at| at.as_second() >= begun.as_second())
}

fn seen_at(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let series =
        event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    last.or(series)
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn a_token_in_the_log_of_a_crashed_container_is_not_shown() {
        let service = service_fn(async |_: Request<Body>| {
            let log = "starting\nno answer from https://user:s3cret-token@models.example/v1\n";
            Ok::<_, Infallible>(Response::new(Body::from(log.as_bytes().to_vec())))
        });
        let client = Client::new(service, "default");
        let cluster = Cluster { client, namespace: "default".into(), server: "test".into() };
        let pod: Pod = serde_json::from_value(json!({ "metadata": { "name": "inference-1" } })).unwrap();
        let cause = Cause {
            key: "crashes".into(),
            words: "crashes again and again".into(),
            is_permanent: false,
            crashed_from: None,
            evidence: Evidence::Log("stub".into()),
        };
        assert_eq!(
            explained(&cluster, &pod, &cause).await,
            "pod inference-1: crashes again and again; last line of its log: no answer from \
             https://…@models.example/v1"
        );
    }

    #[tokio::test]
    async fn a_node_that_comes_for_one_of_the_pods_is_told() {
        let told = async |uid: &str, node: Option<&str>, minutes_ago: i64, code: u16| {
            let at = (Timestamp::now() - SignedDuration::from_mins(minutes_ago)).to_string();
            let service = service_fn(move |request: Request<Body>| {
                let scaled = request.uri().query().is_some_and(|query| query.contains("TriggeredScaleUp"));
                // As cluster-autoscaler writes it.
                let event = json!({
                    "metadata": {}, "reason": "TriggeredScaleUp", "type": "Normal",
                    "involvedObject": { "kind": "Pod", "name": "inference-1", "uid": "p1" },
                    "message": "pod triggered scale-up: [{pool-1 1->2 (max: 5)}]",
                    "lastTimestamp": at,
                });
                let items = if scaled { json!([event]) } else { json!([]) };
                let list = json!({ "apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": items });
                let status = json!({ "kind": "Status", "status": "Failure", "code": code, "message": "" });
                let answer = if code == 200 { list } else { status };
                let answer =
                    Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
                async { Ok::<_, Infallible>(answer.unwrap()) }
            });
            let client = Client::new(service, "default");
            let cluster = Cluster { client, namespace: "default".into(), server: "test".into() };
            let pod: Pod = serde_json::from_value(json!({
                "metadata": { "name": "a", "uid": uid }, "spec": { "containers": [], "nodeName": node },
            }))
            .unwrap();
            new_node(&cluster, &[pod]).await
        };
        let announced = || {
            NewNode::Announced("TriggeredScaleUp: pod triggered scale-up: [{pool-1 1->2 (max: 5)}]".into())
        };
        assert_eq!(told("p1", None, 0, 200).await, announced());
        assert_eq!(told("p1", None, 5, 200).await, announced(), "to an earlier wait for the same pod");
        assert_eq!(told("p2", None, 0, 200).await, NewNode::None, "that node is for another pod");
        assert_eq!(told("p1", Some("n"), 0, 200).await, NewNode::None, "it has come");
        assert_eq!(told("p1", None, 60, 200).await, NewNode::None, "that was an hour ago");
        assert_eq!(told("p1", None, 0, 403).await, NewNode::None, "events may not be read");
        assert_eq!(told("p1", None, 0, 503).await, NewNode::Unknown);
    }
}
