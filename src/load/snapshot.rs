//! What the Locust master knows at one moment.

use records::{Endpoint, Health, Histogram, OpenCounts, Window};
use serde::Deserialize;

/// Locust's own word for what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Never started.
    Ready,
    /// Users are being started.
    Spawning,
    /// Every user has been asked to start.
    Running,
    /// Users are being stopped.
    Stopping,
    /// Stopped; a worker may still be draining.
    Stopped,
    /// A worker that has not been heard of.
    Missing,
    /// Anything this program does not know.
    #[serde(other)]
    Unknown,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Worker {
    /// Host name and a random part; a new process has a new one.
    pub id: String,
    /// What it is doing.
    pub state: State,
    /// Users it runs.
    pub user_count: u32,
    /// CPU over its last 10 s, % of one core; 0 in its first 20 s.
    pub cpu_percent: f64,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// Its own view of its CPU and its event loop, as of its last report or cut.
    #[serde(default)]
    pub health: Option<Health>,
}

/// How exact a cut was.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Cut {
    /// Whether every worker handed over its counts in time.
    pub complete: bool,
    /// Mean of the workers' clocks at their cut, s since the epoch.
    pub at: Option<f64>,
    /// Time between the first and the last worker's cut, ms.
    pub spread_ms: Option<f64>,
}

/// What the master knows at one moment: cumulative since the load was started.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Snapshot {
    /// Version of this format; see [`Snapshot::VERSION`].
    pub(super) version: u32,
    /// Significant digits of the response times behind the percentiles.
    #[serde(default = "three")]
    pub percentile_digits: u32,
    /// What is less certain than it should be, for people; `None` where our module is in use.
    #[serde(skip)]
    pub caveat: Option<String>,
    /// Locust's version.
    pub locust: String,
    /// The master's clock, s since the epoch.
    pub now: f64,
    /// What the master is doing.
    pub state: State,
    /// Users that run.
    pub user_count: u32,
    /// The workers it lists, missing ones included.
    pub workers: Vec<Worker>,
    pub(super) entries: Vec<Entry>,
    pub(super) total: Entry,
    /// Errors by endpoint.
    #[serde(default)]
    pub errors: Vec<Failure>,
    /// Exceptions in the test script.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// The open model's counts; `None` in the closed model.
    #[serde(default)]
    pub open: Option<OpenCounts>,
    /// For an exact cut, how exact.
    #[serde(rename = "flush")]
    pub cut: Option<Cut>,
}

/// One kind of failed request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// HTTP method.
    pub method: String,
    /// Name in the statistics.
    pub name: String,
    /// What was wrong.
    pub error: String,
    /// How often.
    pub occurrences: u64,
}

/// An exception in the test script.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Exception {
    /// What was raised.
    pub message: String,
    /// How often.
    pub count: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Entry {
    pub(super) method: String,
    pub(super) name: String,
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) total_ms: f64,
    #[serde(default)]
    pub(super) start_at: Option<f64>,
    #[serde(default)]
    pub(super) last_at: Option<f64>,
    pub(super) histogram: Histogram,
    #[serde(default)]
    pub(super) succeeded: Histogram,
    #[serde(default)]
    pub(super) from_send: Option<Histogram>,
}

const fn three() -> u32 {
    3
}

impl From<&Entry> for Endpoint {
    fn from(entry: &Entry) -> Self {
        Self {
            method: entry.method.clone(),
            name: entry.name.clone(),
            requests: entry.requests,
            failures: entry.failures,
            total_ms: entry.total_ms,
            histogram: entry.histogram.clone(),
            succeeded: entry.succeeded.clone(),
            from_send: entry.from_send.clone(),
        }
    }
}

impl Snapshot {
    /// The format that this program understands.
    pub(super) const VERSION: u32 = 3;

    /// All endpoints together.
    pub fn aggregated(&self) -> Endpoint {
        Endpoint::from(&self.total)
    }

    /// When the counts were taken: the mean of the workers' clocks for a cut, else the master's.
    pub fn at(&self) -> f64 {
        self.cut.and_then(|cut| cut.at).unwrap_or(self.now)
    }

    /// What came after `earlier`.
    pub fn since(&self, earlier: &Self) -> Window {
        let spread = |snapshot: &Self| snapshot.cut.and_then(|cut| cut.spread_ms).unwrap_or(0.0);
        let endpoints = self.entries.iter().map(Endpoint::from).map(|endpoint| {
            let before =
                earlier.entries.iter().find(|e| e.method == endpoint.method && e.name == endpoint.name);
            endpoint.since(before.map(Endpoint::from).as_ref())
        });
        Window {
            seconds: (self.at() - earlier.at()).max(0.0),
            cut_spread_ms: spread(self).max(spread(earlier)),
            aggregated: self.aggregated().since(Some(&earlier.aggregated())),
            endpoints: endpoints.collect(),
        }
    }

    /// Everything from the start of the load to its last answer.
    pub fn whole(&self) -> Window {
        let seconds = self.total.last_at.zip(self.total.start_at).map_or(0.0, |(last, start)| last - start);
        Window {
            seconds: seconds.max(0.0),
            cut_spread_ms: self.cut.and_then(|cut| cut.spread_ms).unwrap_or(0.0),
            aggregated: self.aggregated(),
            endpoints: self.entries.iter().map(Endpoint::from).collect(),
        }
    }

    /// Whether exactly `wanted` workers are listed, each ready and without users, and no test runs.
    ///
    /// Locust can stay `stopping` for good after a worker was killed: with every worker that is left
    /// ready and without users, that is a stop, too.
    pub fn is_idle(&self, wanted: u32) -> bool {
        let quiet = matches!(self.state, State::Ready | State::Stopped)
            || self.state == State::Stopping && self.user_count == 0;
        let ready =
            self.present().filter(|worker| worker.state == State::Ready && worker.user_count == 0).count();
        quiet && ready == wanted as usize && self.present().count() == wanted as usize
    }

    /// Whether `users` run, spread evenly over exactly `workers` workers.
    pub fn is_running(&self, users: u32, workers: u32) -> bool {
        let running: Vec<_> = self.present().filter(|worker| worker.state == State::Running).collect();
        let fewest = running.iter().map(|worker| worker.user_count).min().unwrap_or(0);
        let most = running.iter().map(|worker| worker.user_count).max().unwrap_or(0);
        self.state == State::Running
            && self.user_count == users
            && running.len() == workers as usize
            && self.present().count() == workers as usize
            && most - fewest <= 1
            && running.iter().map(|worker| worker.user_count).sum::<u32>() == users
    }

    /// Whether load may be running.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Spawning | State::Running | State::Stopping)
            || self.workers.iter().any(|worker| worker.user_count > 0)
    }

    /// The workers that have been heard of lately.
    pub fn present(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| worker.state != State::Missing)
    }

    /// In words, for a "last seen".
    pub fn describe(&self) -> String {
        let states: Vec<String> = self
            .workers
            .iter()
            .map(|worker| format!("{:?} with {} users", worker.state, worker.user_count))
            .collect();
        let workers = if states.is_empty() { "no workers".to_owned() } else { states.join(", ") };
        format!("Locust is {:?} with {} users; workers: {workers}", self.state, self.user_count)
            .to_lowercase()
    }
}

#[cfg(test)]
mod tests;
