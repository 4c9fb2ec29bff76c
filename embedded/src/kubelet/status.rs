//! A pod's status, from what is known of its containers.

use serde_json::{Value, json};

use crate::object::set_condition;

/// A container, as its pod's status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    /// What runs in the image's place.
    pub(super) image_id: String,
    pub(super) state: State,
    pub(super) last: Option<Terminated>,
    pub(super) restarts: u32,
    pub(super) started: bool,
    pub(super) ready: bool,
    /// It will not run again.
    pub(super) finished: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting { reason: String, message: String },
    Running { since: String },
    Terminated(Terminated),
}

/// A run that is over.
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
    /// One that has not been started yet.
    pub(super) fn new(spec: &Value) -> Self {
        let text = |field: &str| spec[field].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            image: text("image"),
            image_id: String::new(),
            state: State::waiting("ContainerCreating", ""),
            last: None,
            restarts: 0,
            started: false,
            ready: false,
            finished: false,
        }
    }

    /// How its latest run ended, if it has.
    fn ended(&self) -> Option<&Terminated> {
        match &self.state {
            State::Terminated(ended) => Some(ended),
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

impl State {
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

/// `Pending`, `Running`, `Succeeded` or `Failed`.
pub(super) fn phase(containers: &[Container]) -> &'static str {
    if containers.iter().all(|container| container.finished) {
        let well =
            containers.iter().all(|container| container.ended().is_some_and(|ended| ended.exit_code == 0));
        return if well { "Succeeded" } else { "Failed" };
    }
    let has_run =
        |container: &Container| !matches!(container.state, State::Waiting { .. }) || container.last.is_some();
    if containers.iter().all(has_run) { "Running" } else { "Pending" }
}

/// Brings a status up to date.
pub(super) fn write(status: &mut Value, containers: &[Container], address: &str) {
    let phase = phase(containers);
    status["phase"] = json!(phase);
    status["hostIP"] = json!("127.0.0.1");
    status["hostIPs"] = json!([{ "ip": "127.0.0.1" }]);
    status["podIP"] = json!(address);
    status["podIPs"] = json!([{ "ip": address }]);
    status["containerStatuses"] = containers.iter().map(Container::to_value).collect();
    let over = matches!(phase, "Succeeded" | "Failed");
    let conditions = &mut status["conditions"];
    let holds = |yes: bool| if yes { "True" } else { "False" };
    set_condition(conditions, "PodReadyToStartContainers", holds(!over), "", "");
    let done = if phase == "Succeeded" { "PodCompleted" } else { "" };
    set_condition(conditions, "Initialized", "True", done, "");
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
        set_condition(conditions, kind, holds(unready.is_empty()), reason, &message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: State, finished: bool) -> Container {
        let spec = json!({ "name": "c", "image": "i" });
        Container { state, finished, ..Container::new(&spec) }
    }

    fn ended(exit_code: i32) -> State {
        State::Terminated(Terminated {
            exit_code,
            signal: None,
            reason: "Error",
            message: String::new(),
            started: "a".into(),
            finished: "b".into(),
        })
    }

    #[test]
    fn the_phase_follows_the_containers() {
        let waiting = || container(State::waiting("ContainerCreating", ""), false);
        let running = || container(State::Running { since: "a".into() }, false);
        assert_eq!(phase(&[waiting()]), "Pending");
        assert_eq!(phase(&[running(), waiting()]), "Pending");
        assert_eq!(phase(&[running()]), "Running");
        assert_eq!(phase(&[container(ended(1), false)]), "Running", "it will be started again");
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
        assert_eq!(phase(&[crashing]), "Running", "CrashLoopBackOff is a waiting of a running pod");
    }

    #[test]
    fn an_unready_container_is_named() {
        let mut status = json!({});
        write(&mut status, &[container(State::Running { since: "a".into() }, false)], "127.64.0.1");
        let conditions = status["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        assert_eq!(ready["message"], "containers with unready status: [c]");
        assert_eq!(status["containerStatuses"][0]["state"]["running"]["startedAt"], "a");
    }
}
