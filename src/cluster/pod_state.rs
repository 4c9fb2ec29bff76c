//! Why a pod is not ready, read from its conditions and from the states of its containers.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition, Probe,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// States in which a container cannot start.
const CANNOT_START: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
/// Words in the messages of these states that name a passing problem: the kubelet waits for its own caches, or a runtime or a
/// registry is busy. The kubelet tries again.
const PASSES: [&str; 7] = [
    "failed to sync",
    "timed out",
    "deadline exceeded",
    "timeout",
    "connection refused",
    "connection reset",
    "too many requests",
];
/// A pod counts as young for this long after its start, s. The kubelet tries two or three times in it.
const PASSES_WITHIN_S: i64 = 30;
/// A container that has ended this often is not expected to start.
const CRASHES: i32 = 2;
/// The same for one that has ended with exit code 0, as Locust's workers do each time their master leaves.
const ENDS: i32 = 4;

/// Why a pod is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    /// The cause without what changes from moment to moment, to compare it with an earlier one.
    pub key: String,
    /// The cause in words, without the pod's name.
    pub words: String,
    /// Whether waiting cannot help.
    pub is_permanent: bool,
    /// When the container began that has crashed; `None` for any other cause.
    pub crashed_from: Option<Timestamp>,
    /// What could tell more about it.
    pub evidence: Evidence,
}

/// What could tell more about a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Nothing: the pod's status has everything.
    None,
    /// The last line of this container's log.
    Log(String),
    /// The pod's latest warning.
    Warning,
}

/// Whether a container stays in this state until somebody changes something. A young pod may leave it by itself if the message
/// names a problem that passes. From Kubernetes 1.32 on, the message of `ImagePullBackOff` repeats why the pull failed; older
/// versions say only that the kubelet waits.
fn lasts(message: &str, started: Option<Timestamp>) -> bool {
    let message = message.to_lowercase();
    let is_young = started.is_none_or(|at| Timestamp::now().duration_since(at).as_secs() < PASSES_WITHIN_S);
    !(is_young && PASSES.iter().any(|passes| message.contains(passes)))
}

/// Whether the pod's condition `Ready` is true.
pub(super) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Whether all containers of the pod have ended. It stays until somebody deletes it, and is no replica any more.
pub(super) fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Why the pod is not ready; `None` if it is.
pub(super) fn why_not_ready(pod: &Pod) -> Option<Cause> {
    if is_ready(pod) {
        return None;
    }
    if let Some(placed) = condition(pod, "PodScheduled").filter(|placed| placed.status == "False") {
        let message = placed.message.as_deref().or(placed.reason.as_deref()).unwrap_or("no reason given");
        return Some(passing("place", format!("cannot be placed: {message}")));
    }
    let parts = parts(pod);
    parts.iter().find_map(Part::obstacle).or_else(|| Some(gates(pod)))
}

impl Cause {
    /// Whether waiting cannot help. A container that began while there was load may have crashed because of it: its next start
    /// decides.
    pub(super) fn is_hopeless(&self, without_load_from: Timestamp) -> bool {
        let had_load = |from: Timestamp| from.as_second() < without_load_from.as_second();
        self.is_permanent && !self.crashed_from.is_some_and(had_load)
    }
}

/// Why this pod cannot start until somebody changes something; `None` for a pod that starts or may still start.
pub fn startup_failure(pod: &Pod, without_load_from: Timestamp) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let parts = parts(pod);
    let mut causes = parts.iter().filter_map(Part::obstacle);
    causes
        .find(|cause| cause.is_hopeless(without_load_from))
        .map(|cause| format!("pod {name}: {}", cause.words))
}

/// Restarts of the containers that run as long as the pod does.
pub(super) fn restarts(pod: &Pod) -> i32 {
    parts(pod).iter().filter(|part| part.role != Role::Init).map(|part| part.status.restart_count).sum()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Runs to its end before the others start.
    Init,
    /// An init container that runs on beside the others.
    Sidecar,
    Main,
}

/// A container with its status.
struct Part<'a> {
    role: Role,
    status: &'a ContainerStatus,
    spec: Option<&'a Container>,
    /// Its place among the init containers, from 1, and their number.
    place: (usize, usize),
    /// When the kubelet began with the pod.
    started: Option<Timestamp>,
}

/// The containers of a pod in the order in which they must become ready: the init containers as the spec lists
/// them, then the others.
fn parts(pod: &Pod) -> Vec<Part<'_>> {
    let Some(status) = pod.status.as_ref() else { return Vec::new() };
    let specs = pod.spec.as_ref();
    // The embedded cluster does not tell when its kubelet began.
    let started = status.start_time.as_ref().or(pod.metadata.creation_timestamp.as_ref()).map(|time| time.0);
    let inits = specs.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let init_statuses = status.init_container_statuses.as_deref().unwrap_or_default();
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (at, status) in init_statuses.iter().enumerate() {
        let spec = inits.iter().find(|spec| spec.name == status.name);
        let runs_on = spec.is_some_and(|spec| spec.restart_policy.as_deref() == Some("Always"));
        let role = if runs_on { Role::Sidecar } else { Role::Init };
        parts.push(Part { role, status, spec, place: (at + 1, init_statuses.len()), started });
    }
    let mains = specs.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    for status in status.container_statuses.iter().flatten() {
        let spec = mains.iter().find(|spec| spec.name == status.name);
        parts.push(Part { role: Role::Main, status, spec, place: (0, 0), started });
    }
    parts
}

impl Part<'_> {
    fn name(&self) -> String {
        let role = match self.role {
            Role::Init => "init container",
            Role::Sidecar => "sidecar",
            Role::Main => "container",
        };
        format!("{role} {}", self.status.name)
    }

    /// What keeps the pod from being ready because of this container.
    fn obstacle(&self) -> Option<Cause> {
        let state = self.status.state.clone().unwrap_or_default();
        let has_succeeded = state.terminated.as_ref().is_some_and(|ended| ended.exit_code == 0);
        let is_done = match self.role {
            Role::Init => has_succeeded,
            Role::Sidecar | Role::Main => self.status.ready,
        };
        if is_done {
            return None;
        }
        let (name, key) = (self.name(), |what: &str| format!("{what} {}", self.status.name));
        let crash = self.crash();
        if let Some(waiting) = &state.waiting {
            let reason = waiting.reason.as_deref().unwrap_or("no reason given");
            if CANNOT_START.contains(&reason) {
                let message = waiting.message.as_deref().unwrap_or("no message");
                let words = format!("cannot start {name} (image {}): {reason}: {message}", self.status.image);
                return Some(Cause {
                    is_permanent: lasts(message, self.started),
                    ..passing(&key("start"), words)
                });
            }
            if let (Some(crash), "CrashLoopBackOff") = (&crash, reason) {
                let most = if self.has_ended_well() { ENDS } else { CRASHES };
                let is_permanent = self.status.restart_count >= most;
                let words = if is_permanent {
                    format!("{name} crashes again and again ({crash})")
                } else {
                    format!("{name} has ended and is started again ({crash})")
                };
                return Some(Cause { is_permanent, ..self.crashed(words) });
            }
            let waits = passing(&key("wait"), format!("{name} waits: {reason}"));
            return Some(Cause { evidence: Evidence::Warning, ..waits });
        }
        if let Some(crash) = crash {
            return Some(self.crashed(format!("{name} is not ready ({crash})")));
        }
        if let Some(ended) = &state.terminated {
            return Some(self.crashed(format!("{name} has ended with exit code {}", ended.exit_code)));
        }
        if state.running.is_none() {
            return Some(passing(&key("wait"), format!("{name} has not started")));
        }
        Some(self.unready(&name))
    }

    /// A container that runs and is not ready.
    fn unready(&self, name: &str) -> Cause {
        let of = |kind: &str| format!("{kind} {}", self.status.name);
        if self.role == Role::Init {
            let (place, all) = self.place;
            return passing(&of("init"), format!("{name} runs ({place} of {all})"));
        }
        let probe = |kind, probe: &Probe| {
            let words = format!("the {kind} probe of {name} has not passed ({})", asks(probe));
            Cause { evidence: Evidence::Warning, ..passing(&of(kind), words) }
        };
        let startup = self.spec.and_then(|spec| spec.startup_probe.as_ref());
        let readiness = self.spec.and_then(|spec| spec.readiness_probe.as_ref());
        match (startup, readiness) {
            (Some(startup), _) if self.status.started != Some(true) => probe("startup", startup),
            (_, Some(readiness)) => probe("readiness", readiness),
            _ => passing(&of("unready"), format!("{name} runs and is not ready")),
        }
    }

    fn crashed(&self, words: String) -> Cause {
        let evidence = Evidence::Log(self.status.name.clone());
        // A container that runs before the others has no load.
        let last = self.last_end().filter(|_| self.role != Role::Init);
        let crashed_from = last.and_then(|ended| ended.started_at).map(|time| time.0);
        Cause { crashed_from, evidence, ..passing(&format!("crash {}", self.status.name), words) }
    }

    /// Whether its last exit code was 0.
    fn has_ended_well(&self) -> bool {
        self.last_end().is_some_and(|ended| ended.exit_code == 0)
    }

    /// How the container has ended the last time; `None` if it never has.
    fn last_end(&self) -> Option<ContainerStateTerminated> {
        let ended =
            |state: &Option<ContainerState>| state.as_ref().and_then(|state| state.terminated.clone());
        ended(&self.status.state).or_else(|| ended(&self.status.last_state))
    }

    /// How often the container has ended, and how the last time; `None` if it never has.
    fn crash(&self) -> Option<String> {
        let restarts = self.status.restart_count;
        if restarts == 0 {
            return None;
        }
        let times = if restarts == 1 { "1 restart".to_owned() } else { format!("{restarts} restarts") };
        let Some(ended) = self.last_end() else { return Some(times) };
        let reason = ended.reason.filter(|reason| reason != "Error" && reason != "Completed");
        let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
        let message = ended.message.as_deref().and_then(last_line);
        let message = message.map(|line| format!("; its last message: {line}")).unwrap_or_default();
        Some(format!("{times}, last exit code {}{reason}{message}", ended.exit_code))
    }
}

/// What a probe asks, in words.
fn asks(probe: &Probe) -> String {
    let port = |port: &IntOrString| match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    };
    if let Some(http) = &probe.http_get {
        return format!("GET :{}{}", port(&http.port), http.path.as_deref().unwrap_or("/"));
    }
    if let Some(tcp) = &probe.tcp_socket {
        return format!("a connection to port {}", port(&tcp.port));
    }
    if let Some(grpc) = &probe.grpc {
        return format!("a gRPC health check on port {}", grpc.port);
    }
    let command = probe.exec.as_ref().and_then(|exec| exec.command.as_ref());
    let command = command.map(|words| words.join(" ")).unwrap_or_default();
    format!("the command {}", shortened(&command))
}

/// The readiness gates that are not open, or else the reason that the pod's own condition gives.
fn gates(pod: &Pod) -> Cause {
    let gates = pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_ref());
    let shut: Vec<String> = gates
        .into_iter()
        .flatten()
        .filter_map(|gate| {
            let name = &gate.condition_type;
            match condition(pod, name) {
                Some(condition) if condition.status == "True" => None,
                Some(condition) => {
                    let message = condition.message.as_deref().or(condition.reason.as_deref());
                    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
                    Some(format!("{name} is {}{message}", condition.status))
                }
                None => Some(format!("nobody has set {name}")),
            }
        })
        .collect();
    if !shut.is_empty() {
        let words = format!("its containers are ready, and its readiness gate is not: {}", shut.join("; "));
        return passing(&format!("gate {}", shut.join(" ")), words);
    }
    let ready = condition(pod, "Ready");
    let message = ready.and_then(|ready| ready.message.as_deref().or(ready.reason.as_deref()));
    match message {
        Some(message) => passing("ready", format!("is not ready: {message}")),
        None => passing("started", "has not started".to_owned()),
    }
}

fn passing(key: &str, words: String) -> Cause {
    Cause { key: key.to_owned(), words, is_permanent: false, crashed_from: None, evidence: Evidence::None }
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

/// The last line of a text that is not empty, shortened.
pub(super) fn last_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(shortened)
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MOST).collect::<String>())
}

#[cfg(test)]
mod tests;
