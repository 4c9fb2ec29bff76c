//! The JSON that the module locust_matrix.py answers, version 3.

use records::{Endpoint, Health, Histogram, OpenCounts};
use serde::Deserialize;

use super::product::NAME;
use crate::load::{Capabilities, Counts, Cut, Exception, Failure, Snapshot, State, Worker};

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
            caveat: None,
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
            cut: answer.flush.map(|CutAnswer { complete, at, spread_ms }| Cut { complete, at, spread_ms }),
        }
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
