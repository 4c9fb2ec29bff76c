//! The status of a pod, from the state of its containers.

use serde_json::{Value, json};

use crate::object::conditions;

/// A container, as the pod's status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    /// The path of the program that stands for the image.
    pub(super) image_id: String,
    pub(super) state: ContainerState,
    /// The previous run.
    pub(super) last: Option<Terminated>,
    pub(super) restarts: u32,
    pub(super) started: bool,
    pub(super) ready: bool,
    /// The container has ended and will not be restarted.
    pub(super) finished: bool,
}

/// The state of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContainerState {
    Waiting { reason: String, message: String },
    Running { since: String },
    Terminated(Terminated),
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terminated {
    pub(super) exit_code: i32,
    pub(super) signal: Option<i32>,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) started: String,
    pub(super) finished: String,
}

impl Container {
    /// A container that has not been started yet.
    pub(super) fn new(spec: &Value) -> Self {
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            image: text("image"),
            image_id: String::new(),
            state: ContainerState::waiting("ContainerCreating", ""),
            last: None,
            restarts: 0,
            started: false,
            ready: false,
            finished: false,
        }
    }

    /// The latest run, if it has ended.
    fn terminated(&self) -> Option<&Terminated> {
        match &self.state {
            ContainerState::Terminated(ended) => Some(ended),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        let mut value = json!({
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state.to_value(),
            "lastState": self.last.as_ref().map_or_else(|| json!({}), |last| json!({ "terminated": last.to_value() })),
        });
        if !self.image_id.is_empty() {
            value["containerID"] = json!(format!("process://{}-{}", self.name, self.restarts));
        }
        value
    }
}

impl ContainerState {
    pub(super) fn waiting(reason: &str, message: &str) -> Self {
        Self::Waiting { reason: reason.into(), message: message.into() }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Waiting { reason, message } if message.is_empty() => {
                json!({ "waiting": { "reason": reason } })
            }
            Self::Waiting { reason, message } => {
                json!({ "waiting": { "reason": reason, "message": message } })
            }
            Self::Running { since } => json!({ "running": { "startedAt": since } }),
            Self::Terminated(ended) => json!({ "terminated": ended.to_value() }),
        }
    }
}

impl Terminated {
    fn to_value(&self) -> Value {
        let mut value = json!({
            "exitCode": self.exit_code,
            "reason": self.reason,
            "startedAt": self.started,
            "finishedAt": self.finished,
        });
        if let Some(signal) = self.signal {
            value["signal"] = json!(signal);
        }
        if !self.message.is_empty() {
            value["message"] = json!(self.message);
        }
        value
    }
}

/// The phase of the pod: `Pending`, `Running`, `Succeeded` or `Failed`.
pub(super) fn phase(containers: &[Container]) -> &'static str {
    if containers.iter().all(|container| container.finished) {
        let succeeded = containers
            .iter()
            .all(|container| container.terminated().is_some_and(|ended| ended.exit_code == 0));
        return if succeeded { "Succeeded" } else { "Failed" };
    }
    let has_run = |container: &Container| {
        !matches!(container.state, ContainerState::Waiting { .. }) || container.last.is_some()
    };
    if containers.iter().all(has_run) { "Running" } else { "Pending" }
}

/// Updates the status of a pod.
pub(super) fn write(status: &mut Value, containers: &[Container], address: &str) {
    let phase = phase(containers);
    status["phase"] = json!(phase);
    status["hostIP"] = json!("127.0.0.1");
    status["hostIPs"] = json!([{ "ip": "127.0.0.1" }]);
    status["podIP"] = json!(address);
    status["podIPs"] = json!([{ "ip": address }]);
    status["containerStatuses"] = containers.iter().map(Container::to_value).collect();
    let has_ended = matches!(phase, "Succeeded" | "Failed");
    let list = &mut status["conditions"];
    let text = |holds: bool| if holds { "True" } else { "False" };
    conditions::set(list, "PodReadyToStartContainers", text(!has_ended), "", "");
    let initialized_reason = if phase == "Succeeded" { "PodCompleted" } else { "" };
    conditions::set(list, "Initialized", "True", initialized_reason, "");
    let unready: Vec<&str> = containers
        .iter()
        .filter(|container| !container.ready)
        .map(|container| container.name.as_str())
        .collect();
    let (reason, message) = match (phase, unready.is_empty()) {
        (_, true) => ("", String::new()),
        ("Succeeded", _) => ("PodCompleted", String::new()),
        ("Failed", _) => ("PodFailed", String::new()),
        _ => ("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))),
    };
    for kind in ["Ready", "ContainersReady"] {
        conditions::set(list, kind, text(unready.is_empty()), reason, &message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: ContainerState, finished: bool) -> Container {
        let spec = json!({ "name": "c", "image": "i" });
        Container { state, finished, ..Container::new(&spec) }
    }

    fn ended(exit_code: i32) -> ContainerState {
        ContainerState::Terminated(Terminated {
            exit_code,
            signal: None,
            reason: "Error",
            message: String::new(),
            started: "a".into(),
            finished: "b".into(),
        })
    }

    #[test]
    fn the_phase_follows_from_the_containers() {
        let waiting = || container(ContainerState::waiting("ContainerCreating", ""), false);
        let running = || container(ContainerState::Running { since: "a".into() }, false);
        assert_eq!(phase(&[waiting()]), "Pending");
        assert_eq!(phase(&[running(), waiting()]), "Pending");
        assert_eq!(phase(&[running()]), "Running");
        assert_eq!(phase(&[container(ended(1), false)]), "Running", "the container will be restarted");
        assert_eq!(phase(&[container(ended(0), true)]), "Succeeded");
        assert_eq!(phase(&[container(ended(0), true), container(ended(1), true)]), "Failed");
        let mut crashing = waiting();
        crashing.last = Some(Terminated {
            exit_code: 1,
            signal: None,
            reason: "Error",
            message: String::new(),
            started: String::new(),
            finished: String::new(),
        });
        assert_eq!(phase(&[crashing]), "Running", "a pod in CrashLoopBackOff is still Running");
    }

    #[test]
    fn a_container_that_is_not_ready_is_named() {
        let mut status = json!({});
        write(&mut status, &[container(ContainerState::Running { since: "a".into() }, false)], "127.64.0.1");
        let ready = conditions::find(&status["conditions"], "Ready").unwrap();
        assert_eq!(ready["message"], "containers with unready status: [c]");
        assert_eq!(status["containerStatuses"][0]["state"]["running"]["startedAt"], "a");
    }
}
