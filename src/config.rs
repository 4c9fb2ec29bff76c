//! What to sweep and how: the settings file, the flags of the same names, and their checks.

mod check;
mod duration;
mod file;
mod method;
mod preset;

use std::time::Duration;

use records::Objective;
use serde::{Deserialize, Serialize};

pub use duration::Span;
pub use file::{MatrixFlags, Settings};
pub use method::Until;
pub use preset::Preset;

/// Every setting of a run, complete and checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Inference replicas, in the order they are swept.
    pub replicas: Vec<u32>,
    /// Locust workers, in the order they are swept.
    pub workers: Vec<u32>,
    /// Simulated users of the closed model, in the order they are swept.
    pub users: Vec<u32>,
    /// Requests per second of the open model, in the order they are swept.
    pub rates: Vec<f64>,
    /// Users of the open model: the most requests under way at the same time. Unset, enough for answers
    /// of 10 s.
    pub pool: Option<u32>,
    /// The measured window.
    pub duration: Span,
    /// When a measurement ends.
    pub until: Until,
    /// With `until: stable`, it does not end before; unset, a quarter of the duration.
    pub min_duration: Option<Span>,
    /// A measurement that is not steady is extended up to this; unset, twice the duration.
    pub max_duration: Option<Span>,
    /// What a user of the closed model thinks after each answer, on average: what the locustfile does.
    pub think_time: Span,
    /// What the service is meant to reach.
    pub objective: Objective,
    /// How often each point of the matrix is measured.
    pub repeats: u32,
    /// Whether the order is drawn by lot; unset, with repeats.
    pub shuffle: Option<bool>,
    /// What the order is drawn from.
    pub seed: u64,
    /// Whether the first scenario is measured again at the end, which shows drift.
    pub drift: bool,
    /// Load runs this long, after every user has started, before the window opens.
    pub warmup: Span,
    /// From the stop of one scenario to the start of the next; settling happens inside it.
    pub cooldown: Span,
    /// Users started per second; unset, a tenth of the users.
    pub spawn_rate: Option<f64>,
    /// More users than this are refused: a load that large is to be asked for on purpose.
    pub max_users: u32,
    /// How long each phase may take before the scenario is given up.
    pub timeouts: Timeouts,
    /// The service under test.
    pub inference: Inference,
}

/// How long each phase may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Until Locust's master answers for the first time.
    pub master: Span,
    /// Until every replica of the service is ready.
    pub ready: Span,
    /// Until Locust's master lists exactly the workers asked for.
    pub workers: Span,
    /// Until every user runs, beyond users / spawn rate.
    pub ramp: Span,
    /// Until every worker is idle after a stop.
    pub stop: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            master: Span::from_secs(90),
            ready: Span::from_secs(180),
            workers: Span::from_secs(90),
            ramp: Span::from_secs(60),
            stop: Span::from_secs(150),
        }
    }
}

/// The service under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inference {
    /// The Deployment that is scaled.
    pub deployment: String,
    /// Where the workers send their requests.
    pub url: String,
    /// A path that every replica answers; asked through `url` until all of them do.
    pub readiness_path: String,
    /// The endpoint that verdicts and findings use, as `METHOD name` of Locust's statistics.
    pub primary: String,
    /// Where each pod serves Prometheus metrics, as `port/path`; empty for a service without.
    pub metrics: String,
}

impl Default for Inference {
    fn default() -> Self {
        Self {
            deployment: "inference".into(),
            url: "http://inference:8000".into(),
            readiness_path: "/healthz".into(),
            primary: "POST /predict".into(),
            metrics: "8000/metrics".into(),
        }
    }
}

impl Config {
    /// Users started per second for a scenario of `users`: the setting, else a tenth of the users,
    /// at least one.
    pub fn spawn_rate_for(&self, users: u32) -> f64 {
        self.spawn_rate.unwrap_or_else(|| (f64::from(users) / 10.0).max(1.0))
    }

    /// Users of the open model for a rate: the setting, else as many as are busy when an answer takes 10 s,
    /// but no more than `max_users`.
    pub fn pool_for(&self, rate: f64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is positive"
        )]
        let enough = (rate * 10.0).ceil() as u32;
        self.pool.unwrap_or_else(|| enough.clamp(1, self.max_users))
    }

    /// The longest measurement of a scenario.
    pub fn longest(&self) -> Duration {
        self.max_duration.map_or(self.duration.get() * 2, Span::get)
    }

    /// With `until: stable`, the shortest measurement of a scenario.
    pub fn shortest(&self) -> Option<Duration> {
        (self.until == Until::Stable).then(|| self.min_duration.map_or(self.duration.get() / 4, Span::get))
    }

    /// Whether the order of the scenarios is drawn by lot.
    pub fn is_shuffled(&self) -> bool {
        self.shuffle.unwrap_or(self.repeats > 1)
    }
}
