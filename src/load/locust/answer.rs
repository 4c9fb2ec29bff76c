//! The JSON that the module locust_matrix.py answers, version 3.

use records::{Endpoint, Health, Histogram, OpenCounts};
use serde::Deserialize;

use super::product::NAME;
use crate::load::{
    Capabilities, Counts, Cut, Exception, Failure, Left, Script, Snapshot, State, UserClass, Worker,
};

/// The version of the module's protocol that this program understands.
pub(super) const VERSION: u32 = 3;

/// The state of the runner or of a worker, as Locust names it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StateAnswer {
    Ready,
    Spawning,
    Running,
    Stopping,
    Stopped,
    Missing,
    #[serde(other)]
    Unknown,
}

impl From<StateAnswer> for State {
    fn from(state: StateAnswer) -> Self {
        match state {
            StateAnswer::Ready => Self::Ready,
            StateAnswer::Spawning => Self::Spawning,
            StateAnswer::Running => Self::Running,
            StateAnswer::Stopping => Self::Stopping,
            StateAnswer::Stopped => Self::Stopped,
            StateAnswer::Missing => Self::Missing,
            StateAnswer::Unknown => Self::Unknown,
        }
    }
}

/// A failed request in Locust's statistics.
#[derive(Debug, Deserialize)]
pub(super) struct FailureAnswer {
    method: String,
    name: String,
    error: String,
    occurrences: u64,
}

impl From<FailureAnswer> for Failure {
    fn from(FailureAnswer { method, name, error, occurrences }: FailureAnswer) -> Self {
        Self { method, name, error, occurrences }
    }
}

/// The version of an answer. It is read first, because the rest may differ.
#[derive(Debug, Deserialize)]
pub(super) struct VersionAnswer {
    pub(super) version: u32,
}

/// The answer to a request for a snapshot. Histograms have keys in whole µs.
#[derive(Debug, Deserialize)]
pub(super) struct SnapshotAnswer {
    #[serde(default = "three")]
    percentile_digits: u32,
    /// Locust's version.
    locust: String,
    now: f64,
    state: StateAnswer,
    user_count: u32,
    workers: Vec<WorkerAnswer>,
    entries: Vec<EntryAnswer>,
    total: EntryAnswer,
    #[serde(default)]
    errors: Vec<FailureAnswer>,
    #[serde(default)]
    exceptions: Vec<ExceptionAnswer>,
    #[serde(default)]
    open: Option<OpenCounts>,
    flush: Option<CutAnswer>,
    #[serde(default)]
    impossible: u64,
    #[serde(default)]
    folded: u64,
    #[serde(default)]
    resets: u64,
    #[serde(default)]
    script: ScriptAnswer,
    #[serde(default)]
    left: Vec<LeftAnswer>,
    #[serde(default)]
    cut_off: u64,
    #[serde(default)]
    waited_s: Option<f64>,
}

/// The test script, and how it has ended the present test.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ScriptAnswer {
    shape: Option<String>,
    users: Vec<UserClassAnswer>,
    stop_timeout_s: f64,
    given_stop_timeout_s: f64,
    ended: Option<String>,
    has_quit: bool,
}

#[derive(Debug, Deserialize)]
struct UserClassAnswer {
    name: String,
    fixed_count: u32,
}

#[derive(Debug, Deserialize)]
struct LeftAnswer {
    user: String,
    why: String,
    count: u64,
}

impl ScriptAnswer {
    fn script(&self) -> Script {
        let class =
            |class: &UserClassAnswer| UserClass { name: class.name.clone(), fixed_count: class.fixed_count };
        let is_own = (self.stop_timeout_s - self.given_stop_timeout_s).abs() > 1e-3;
        Script {
            shape: self.shape.clone(),
            user_classes: self.users.iter().map(class).collect(),
            own_stop_timeout_s: is_own.then_some(self.stop_timeout_s),
        }
    }
}

const fn three() -> u32 {
    3
}

#[derive(Debug, Deserialize)]
struct WorkerAnswer {
    id: String,
    state: StateAnswer,
    user_count: u32,
    /// Locust's mean over 10 s; 0 in the first 20 s of a worker.
    cpu_percent: f64,
    memory_bytes: u64,
    #[serde(default)]
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
struct EntryAnswer {
    method: String,
    name: String,
    requests: u64,
    failures: u64,
    total_ms: f64,
    #[serde(default)]
    start_at: Option<f64>,
    #[serde(default)]
    last_at: Option<f64>,
    histogram: Histogram,
    #[serde(default)]
    succeeded: Histogram,
    #[serde(default)]
    from_send: Option<Histogram>,
}

#[derive(Debug, Deserialize)]
struct ExceptionAnswer {
    message: String,
    count: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct CutAnswer {
    complete: bool,
    at: Option<f64>,
    spread_ms: Option<f64>,
}

impl SnapshotAnswer {
    /// What a Locust with the module can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: format!("{} {}", NAME, self.locust),
            version: self.locust.clone(),
            exact_windows: true,
            live_counts: true,
            open_model: Ok(()),
            health: true,
            percentile_digits: self.percentile_digits,
            caveat: self.script.script().caveat(),
            script: self.script.script(),
        }
    }
}

impl From<SnapshotAnswer> for Snapshot {
    fn from(answer: SnapshotAnswer) -> Self {
        let exceptions = answer.exceptions.into_iter();
        Self {
            now: answer.now,
            state: answer.state.into(),
            user_count: answer.user_count,
            workers: answer.workers.into_iter().map(Worker::from).collect(),
            counts: Counts {
                first_at: answer.total.start_at,
                last_at: answer.total.last_at,
                total: answer.total.into(),
                endpoints: answer.entries.into_iter().map(Endpoint::from).collect(),
                impossible: answer.impossible,
                folded: answer.folded,
                resets: answer.resets,
            },
            errors: answer.errors.into_iter().map(Failure::from).collect(),
            exceptions: exceptions.map(|e| Exception { message: e.message, count: e.count }).collect(),
            open: answer.open,
            waited_s: answer.waited_s,
            left: answer.left.into_iter().map(Left::from).collect(),
            cut_off: answer.cut_off,
            ended_by_script: answer.script.ended,
            has_quit: answer.script.has_quit,
            cut: answer.flush.map(|CutAnswer { complete, at, spread_ms }| Cut { complete, at, spread_ms }),
        }
    }
}

impl From<LeftAnswer> for Left {
    fn from(LeftAnswer { user, why, count }: LeftAnswer) -> Self {
        Self { user, why, count }
    }
}

impl From<EntryAnswer> for Endpoint {
    fn from(entry: EntryAnswer) -> Self {
        Self {
            method: entry.method,
            name: entry.name,
            requests: entry.requests,
            failures: entry.failures,
            total_ms: entry.total_ms,
            histogram: entry.histogram,
            succeeded: entry.succeeded,
            from_send: entry.from_send,
        }
    }
}

impl From<WorkerAnswer> for Worker {
    fn from(answer: WorkerAnswer) -> Self {
        let WorkerAnswer { id, state, user_count, cpu_percent, memory_bytes, health } = answer;
        Self { id, state: state.into(), user_count, cpu_percent, memory_bytes, health }
    }
}

#[cfg(test)]
mod tests;
