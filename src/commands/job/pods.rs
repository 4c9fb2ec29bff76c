//! What the Job's pods say about the driver. A pod may have more containers, such as a proxy that the cluster
//! adds; only the driver's own container counts.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};

use crate::cluster::{refusal_in, startup_failure};

/// The name of the driver's container.
pub(super) const DRIVER: &str = "driver";
/// If a pod still exists this long after its grace period, s, its node is lost. This is long enough for clocks of this machine
/// and of the API server that differ by some seconds.
const LOST_AFTER_S: i64 = 60;

/// Why the driver does not run yet, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The server refuses the Job's pod. Somebody must change something.
    Refused(String),
    /// The pod has not started. Time may help.
    NotStarted(String),
    /// The pod's node is lost. As long as nobody says that the pod has ended, the Job creates no other.
    Lost(String),
}

impl Waiting {
    /// The reason in words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Refused(reason) | Self::NotStarted(reason) | Self::Lost(reason) => reason,
        }
    }
}

/// Why the driver does not run: `None` if a pod runs it, or if its last pod has ended and nothing keeps the Job
/// from creating the next one. `refusals` are the Job's events.
pub(super) fn waiting(pods: &[Pod], refusals: &[Event]) -> Option<Waiting> {
    if let Some(pod) = pods.iter().rfind(|pod| !has_ended(pod)) {
        if is_lost(pod) {
            return Some(Waiting::Lost(lost_words(pod)));
        }
        return (!has_started(pod)).then(|| Waiting::NotStarted(not_started_because(pod)));
    }
    let created = pods.iter().filter_map(|pod| Some(pod.metadata.creation_timestamp.as_ref()?.0)).max();
    let latest = refusals.iter().filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    let Some(latest) = latest.max_by_key(|event| seen_at(event)) else {
        let has_none = || Waiting::NotStarted("the Job has no pod".into());
        return pods.is_empty().then(has_none);
    };
    if created.is_some_and(|created| seen_at(latest) < Some(created)) {
        return None;
    }
    let message = latest.message.as_deref().map_or("no reason given", refusal_in);
    Some(Waiting::Refused(format!("the server refuses the Job's pod: {message}")))
}

fn seen_at(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// Whether the pod's node is lost: the pod was deleted, and still exists long after its grace period. `deletionTimestamp` is
/// the end of that period.
pub(super) fn is_lost(pod: &Pod) -> bool {
    let gone_by = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0.as_second());
    gone_by.is_some_and(|gone_by| Timestamp::now().as_second() > gone_by + LOST_AFTER_S)
}

fn lost_words(pod: &Pod) -> String {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
    format!("pod {name} was evicted, and its node {node} does not say that it has ended")
}

fn not_started_because(pod: &Pod) -> String {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let unplaced = conditions.find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unplaced {
        let message = condition.message.as_deref().or(condition.reason.as_deref());
        return format!("pod {name} cannot be placed: {}", message.unwrap_or("no reason given"));
    }
    let waiting = driver(pod).and_then(|status| status.state.as_ref()?.waiting.as_ref());
    match waiting.and_then(|waiting| waiting.message.as_deref().or(waiting.reason.as_deref())) {
        Some(reason) => format!("pod {name} has not started: {reason}"),
        None => format!("pod {name} has not started"),
    }
}

/// Why the driver's container cannot start until somebody changes something: because of itself, or because of a
/// container that the cluster starts before it.
pub(super) fn driver_cannot_start(pod: &Pod) -> Option<String> {
    if has_started(pod) {
        return None;
    }
    let mut pod = pod.clone();
    let statuses = pod.status.as_mut()?.container_statuses.as_mut()?;
    statuses.retain(|status| status.name == DRIVER);
    startup_failure(&pod, Timestamp::MIN)
}

/// Whether the driver runs or has run in this pod.
pub(super) fn has_started(pod: &Pod) -> bool {
    let state = driver(pod).and_then(|status| status.state.as_ref());
    state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

/// Whether this pod does not run the driver any more. Other containers of it may still run.
pub(super) fn has_ended(pod: &Pod) -> bool {
    exit_code(pod).is_some() || is_over(pod)
}

/// Whether all containers of this pod have ended.
pub(super) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// The driver's exit code in this pod, once it has ended.
pub(super) fn exit_code(pod: &Pod) -> Option<i32> {
    Some(driver(pod)?.state.as_ref()?.terminated.as_ref()?.exit_code)
}

/// The containers that keep a pod running after its driver has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OtherContainers {
    pub(super) pod: String,
    pub(super) names: Vec<String>,
}

/// The other containers of the last pod, if its driver has ended and they have not.
pub(super) fn other_containers(pods: &[Pod]) -> Option<OtherContainers> {
    let last = pods.last().filter(|pod| exit_code(pod).is_some() && !is_over(pod))?;
    let status = last.status.as_ref()?;
    // A cluster may add its proxy as an init container that runs as long as the pod.
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let is_ended =
        |one: &&ContainerStatus| one.state.as_ref().is_some_and(|state| state.terminated.is_some());
    let names = statuses.filter(|one| !is_ended(one)).map(|one| one.name.clone()).collect();
    Some(OtherContainers { pod: last.metadata.name.clone()?, names })
}

/// The names of the pods that may still run the driver, in words.
pub(super) fn running(pods: &[Pod]) -> Option<String> {
    let running = pods.iter().filter(|pod| !has_ended(pod));
    let names: Vec<_> = running.filter_map(|pod| pod.metadata.name.as_deref()).collect();
    (!names.is_empty()).then(|| format!("pods {}", names.join(", ")))
}

fn driver(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == DRIVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(name: &str, phase: &str, containers: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": name, "creationTimestamp": "2026-01-01T00:01:00Z" },
            "status": { "phase": phase, "containerStatuses": containers },
        }))
        .unwrap()
    }

    fn container(name: &str, state: &Value) -> Value {
        json!({
            "name": name, "state": state, "image": "i", "imageID": "", "ready": false, "restartCount": 0,
        })
    }

    fn with_proxy(driver: &Value) -> Value {
        let running = json!({ "running": {} });
        json!([container("agent", &running), container(DRIVER, driver)])
    }

    fn failed_create(at: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "reason": "FailedCreate", "lastTimestamp": at,
            "message": "(combined from similar events): Error creating: pods \"x\" is forbidden: exceeded quota",
        }))
        .unwrap()
    }

    #[test]
    fn only_the_drivers_own_container_counts() {
        let running = pod("a", "Running", &with_proxy(&json!({ "running": {} })));
        assert!(has_started(&running) && !has_ended(&running));
        let waiting = pod("a", "Pending", &with_proxy(&json!({ "waiting": { "reason": "x" } })));
        assert!(!has_started(&waiting));
        let ended = pod("a", "Running", &with_proxy(&json!({ "terminated": { "exitCode": 5 } })));
        assert!(has_ended(&ended) && !is_over(&ended));
        assert_eq!(exit_code(&ended), Some(5));
        let pull = json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } });
        let proxy_fails = json!([container("agent", &pull), container(DRIVER, &json!({ "running": {} }))]);
        assert_eq!(driver_cannot_start(&pod("a", "Pending", &proxy_fails)), None);
        let driver_fails = pod("a", "Pending", &with_proxy(&pull));
        assert!(driver_cannot_start(&driver_fails).unwrap().contains("no such image"));
        // An injected init container comes before the driver.
        let mut init_fails =
            pod("a", "Pending", &with_proxy(&json!({ "waiting": { "reason": "PodInitializing" } })));
        let init = json!([container("istio-init", &pull)]);
        init_fails.status.as_mut().unwrap().init_container_statuses = serde_json::from_value(init).unwrap();
        assert!(driver_cannot_start(&init_fails).unwrap().contains("init container istio-init"));
        let ended = json!([container(DRIVER, &json!({ "terminated": { "exitCode": 0 } }))]);
        init_fails.status.as_mut().unwrap().container_statuses = serde_json::from_value(ended).unwrap();
        assert_eq!(driver_cannot_start(&init_fails), None, "the driver has run already");
    }

    #[test]
    fn the_containers_that_run_on_after_the_driver_are_named() {
        let ended = json!({ "terminated": { "exitCode": 0 } });
        let running = json!({ "running": {} });
        let containers = json!([
            container("istio-proxy", &running),
            container(DRIVER, &ended),
            container("copier", &ended),
        ]);
        let mut last = pod("b", "Running", &containers);
        let init = json!([container("istio-init", &ended), container("log-agent", &running)]);
        last.status.as_mut().unwrap().init_container_statuses = serde_json::from_value(init).unwrap();
        let names = vec!["log-agent".to_owned(), "istio-proxy".to_owned()];
        let first = pod("a", "Failed", &json!([]));
        assert_eq!(other_containers(&[first, last]), Some(OtherContainers { pod: "b".into(), names }));
        let working = pod("a", "Running", &with_proxy(&running));
        assert_eq!(other_containers(&[working]), None, "the driver has not ended");
        let over = pod("a", "Succeeded", &with_proxy(&ended));
        assert_eq!(other_containers(&[over]), None, "nothing of the pod runs");
    }

    #[test]
    fn pods_that_have_ended_do_not_keep_the_job_running() {
        let failed = pod("first", "Failed", &json!([]));
        let driver_ended =
            pod("second", "Running", &with_proxy(&json!({ "terminated": { "exitCode": 130 } })));
        assert_eq!(running(&[failed.clone(), driver_ended]), None);
        let stopping = pod("third", "Running", &with_proxy(&json!({ "running": {} })));
        assert_eq!(running(&[failed, stopping]).as_deref(), Some("pods third"));
    }

    #[test]
    fn a_refused_pod_is_told_in_the_servers_words() {
        let refused = failed_create("2026-01-01T00:00:30Z");
        let reason = "the server refuses the Job's pod: pods \"x\" is forbidden: exceeded quota";
        assert_eq!(waiting(&[], std::slice::from_ref(&refused)), Some(Waiting::Refused(reason.into())));
        // The pod was created after that, and its successor may still come.
        let ended = pod("first", "Failed", &json!([]));
        assert_eq!(waiting(std::slice::from_ref(&ended), &[refused]), None);
        assert_eq!(waiting(&[], &[]), Some(Waiting::NotStarted("the Job has no pod".into())));
        let later = failed_create("2026-01-01T00:02:00Z");
        assert_eq!(waiting(&[ended], &[later]), Some(Waiting::Refused(reason.into())));
    }

    #[test]
    fn a_pod_that_has_not_started_says_why() {
        let mut pending = pod("a", "Pending", &json!([]));
        let reason = |pod: &Pod| waiting(std::slice::from_ref(pod), &[]).map(|w| w.reason().to_owned());
        assert_eq!(reason(&pending).as_deref(), Some("pod a has not started"));
        let condition =
            json!([{ "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" }]);
        pending.status.as_mut().unwrap().conditions = serde_json::from_value(condition).unwrap();
        assert_eq!(reason(&pending).as_deref(), Some("pod a cannot be placed: 0/1 nodes are available"));
        let creating = with_proxy(&json!({ "waiting": { "reason": "ContainerCreating" } }));
        assert_eq!(
            reason(&pod("b", "Pending", &creating)).as_deref(),
            Some("pod b has not started: ContainerCreating")
        );
        assert_eq!(reason(&pod("c", "Running", &with_proxy(&json!({ "running": {} })))), None);
    }
}
