//! The state and the counts of the load generator at one moment.

use std::collections::BTreeSet;

use records::{Endpoint, Health, OpenCounts, Window};

use super::script::{Left, left_in_words};

/// What [`Snapshot::describe`] says if no worker has connected.
pub(super) const NO_WORKER: &str = "workers: none";

/// The state of the load generator or of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Without users; a worker waits for the next load.
    Ready,
    /// Users are being started.
    Spawning,
    /// Every user has been asked to start.
    Running,
    /// Users are being stopped.
    Stopping,
    /// The load is stopped; a worker may still have users.
    Stopped,
    /// A worker whose heartbeats are missing.
    Missing,
    /// A state that this program does not know.
    Unknown,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    /// Identifies the process: another process has another id, even in the same pod.
    pub id: String,
    /// Its state.
    pub state: State,
    /// Users that it runs.
    pub user_count: u32,
    /// CPU use of the last seconds, % of one core; 0 until it is known.
    pub cpu_percent: f64,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// CPU and event loop as the process itself sees them; `None` without [`Capabilities::health`] and before
    /// the first report.
    ///
    /// [`Capabilities::health`]: super::Capabilities
    pub health: Option<Health>,
}

/// How exact a cut was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Whether every worker handed over its counts in time.
    pub complete: bool,
    /// Mean of the workers' clocks at their cut, s since the epoch.
    pub at: Option<f64>,
    /// Time between the first and the last worker's cut, ms.
    pub spread_ms: Option<f64>,
}

/// Finished requests since the load was started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// All endpoints together.
    pub total: Endpoint,
    /// Every endpoint.
    pub endpoints: Vec<Endpoint>,
    /// When the first request could have been counted, s since the epoch.
    pub first_at: Option<f64>,
    /// When the last request was counted, s since the epoch.
    pub last_at: Option<f64>,
    /// Requests whose response time cannot be true. They count as requests and are in no histogram.
    pub impossible: u64,
    /// Endpoints that share an entry of [`endpoints`](Self::endpoints), because there are too many of them.
    pub folded: u64,
    /// How often the counts were set to zero, apart from the start of a load. If this number grows within a
    /// load, the counts have fallen back.
    pub resets: u64,
}

/// The state and the counts at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The load generator's clock, s since the epoch.
    pub now: f64,
    /// The state of the load.
    pub state: State,
    /// Users that run.
    pub user_count: u32,
    /// The workers on its list, missing ones included.
    pub workers: Vec<Worker>,
    /// Finished requests since the load was started.
    pub counts: Counts,
    /// Failed requests by endpoint and error.
    pub errors: Vec<Failure>,
    /// Exceptions in the test script.
    pub exceptions: Vec<Exception>,
    /// The arrivals of the open model; `None` in the closed model.
    pub open: Option<OpenCounts>,
    /// The time that all users have spent in their wait times since the start of the load, s; `None` if it is not
    /// known.
    pub waited_s: Option<f64>,
    /// Users that ended by themselves since the start of the load.
    pub left: Vec<Left>,
    /// Requests that the stop timeout has cut off since the start of the load.
    pub cut_off: u64,
    /// How the test script has ended this load, such as `runner.quit()`; `None` if it has not.
    pub ended_by_script: Option<String>,
    /// Whether the load generator takes no workers any more, because the test script has ended it.
    pub has_quit: bool,
    /// How exact this snapshot is, if it is a cut.
    pub cut: Option<Cut>,
}

/// One kind of failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP method.
    pub method: String,
    /// Name in the statistics.
    pub name: String,
    /// The error message.
    pub error: String,
    /// How often.
    pub occurrences: u64,
}

/// An exception in the test script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The message of the exception.
    pub message: String,
    /// How often it was raised.
    pub count: u64,
}

impl Snapshot {
    /// A snapshot without workers, users and counts.
    pub fn empty(now: f64, state: State) -> Self {
        Self {
            now,
            state,
            user_count: 0,
            workers: Vec::new(),
            counts: Counts::default(),
            errors: Vec::new(),
            exceptions: Vec::new(),
            open: None,
            waited_s: None,
            left: Vec::new(),
            cut_off: 0,
            ended_by_script: None,
            has_quit: false,
            cut: None,
        }
    }

    /// When the counts were taken, s since the epoch: the mean of the workers' clocks for a cut, else the load
    /// generator's.
    pub fn at(&self) -> f64 {
        self.cut.and_then(|cut| cut.at).unwrap_or(self.now)
    }

    /// What came after `earlier`, a snapshot of the same load.
    pub fn since(&self, earlier: &Self) -> Window {
        let endpoints = self.counts.endpoints.iter().map(|endpoint| {
            let same = |other: &&Endpoint| other.method == endpoint.method && other.name == endpoint.name;
            endpoint.since(earlier.counts.endpoints.iter().find(same))
        });
        Window {
            seconds: (self.at() - earlier.at()).max(0.0),
            cut_spread_ms: self.cut_spread_ms().max(earlier.cut_spread_ms()),
            aggregated: self.counts.total.since(Some(&earlier.counts.total)),
            endpoints: endpoints.collect(),
        }
    }

    /// Everything from the start of the load to its last request.
    pub fn whole(&self) -> Window {
        let Counts { total, endpoints, first_at, last_at, .. } = &self.counts;
        let seconds = last_at.zip(*first_at).map_or(0.0, |(last, first)| last - first);
        Window {
            seconds: seconds.max(0.0),
            cut_spread_ms: self.cut_spread_ms(),
            aggregated: total.clone(),
            endpoints: endpoints.clone(),
        }
    }

    fn cut_spread_ms(&self) -> f64 {
        self.cut.and_then(|cut| cut.spread_ms).unwrap_or(0.0)
    }

    /// Whether no load runs and exactly `workers` workers are listed, each of them ready and without users.
    ///
    /// After a worker was killed, the load generator can stay `stopping` for good. If all other workers are
    /// ready and without users, the load has stopped.
    pub fn is_idle(&self, workers: u32) -> bool {
        let stopped = matches!(self.state, State::Ready | State::Stopped)
            || self.state == State::Stopping && self.user_count == 0;
        let ready =
            self.present().filter(|worker| worker.state == State::Ready && worker.user_count == 0).count();
        stopped && ready == workers as usize && self.present().count() == workers as usize
    }

    /// The ids of the workers whose heartbeats arrive, in order.
    pub fn worker_ids(&self) -> BTreeSet<String> {
        self.present().map(|worker| worker.id.clone()).collect()
    }

    /// Whether no load runs, whichever workers are listed. After a worker was killed, it stays on the list with its
    /// users until enough of its heartbeats are missing.
    pub fn has_no_load(&self) -> bool {
        !matches!(self.state, State::Spawning | State::Running)
            && self.present().all(|worker| worker.user_count == 0)
    }

    /// Whether this is a cut for which every worker handed over its counts.
    pub fn is_complete_cut(&self) -> bool {
        self.cut.is_some_and(|cut| cut.complete)
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

    /// What the test script did by itself that ended the load or some of its users, in words; `None` if nothing.
    pub fn ended_by_itself(&self) -> Option<String> {
        match &self.ended_by_script {
            Some(how) => Some(format!("the test script ended the load by itself: it called {how}")),
            None if self.left.is_empty() => None,
            None => Some(left_in_words(&self.left)),
        }
    }

    /// Whether load may be running.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Spawning | State::Running | State::Stopping)
            || self.workers.iter().any(|worker| worker.user_count > 0)
    }

    /// The workers whose heartbeats arrive.
    pub fn present(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| worker.state != State::Missing)
    }

    /// State and workers in words, for messages about what was last seen.
    pub fn describe(&self) -> String {
        let state = |state: State, users: u32| format!("{state:?} with {users} users").to_lowercase();
        let workers: Vec<_> =
            self.workers.iter().map(|worker| state(worker.state, worker.user_count)).collect();
        let workers = if workers.is_empty() {
            NO_WORKER.to_owned()
        } else {
            format!("workers: {}", workers.join(", "))
        };
        format!("{}; {workers}", state(self.state, self.user_count))
    }
}

#[cfg(test)]
pub(super) mod tests;
