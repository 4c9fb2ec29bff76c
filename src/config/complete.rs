//! The complete configuration of a run, and the values that are derived from it.

use std::time::Duration;

use records::{Gate, Objective};
use serde::{Deserialize, Serialize};

use super::capacity::{CapacitySettings, Unknown};
use super::counter::Counter;
use super::method::Until;
use super::span::Span;
use super::workload::WorkloadName;

/// Every setting of a run, complete and checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Replicas of the service, in the order of the scenarios.
    pub replicas: Vec<u32>,
    /// Locust workers, in the order of the scenarios.
    pub workers: Vec<u32>,
    /// Simulated users of the closed model, in the order of the scenarios.
    pub users: Vec<u32>,
    /// Requests per second of the open model, in the order of the scenarios.
    pub rates: Vec<f64>,
    /// Users of the open model, which is the largest number of concurrent requests. If unset, enough for
    /// response times of 10 s.
    pub pool: Option<u32>,
    /// Length of the measured window.
    pub duration: Span,
    /// When a measurement ends.
    pub until: Until,
    /// Shortest measurement with `until: stable`. If unset, a quarter of the duration.
    pub min_duration: Option<Span>,
    /// Longest measurement of a scenario that is not steady. If unset, twice the duration.
    pub max_duration: Option<Span>,
    /// Mean time that a user of the closed model waits after each response, as the locustfile has it.
    pub think_time: Span,
    /// Response times that the service should keep to.
    pub objective: Objective,
    /// The search for capacities, instead of the matrix of `users` and `rates`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySettings>,
    /// The rows whose goals decide the exit code; empty if all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// What a goal that cannot be decided does to the exit code.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unknown: Unknown,
    /// How often each point of the matrix is measured.
    pub repeats: u32,
    /// Whether the scenarios run in random order. If unset, only with repeats.
    pub shuffle: Option<bool>,
    /// Seed of the random order.
    pub seed: u64,
    /// Whether the first scenario is measured again at the end, to show drift.
    pub drift: bool,
    /// Time between the start of the last user and the start of the window.
    pub warmup: Span,
    /// Time from the stop of one scenario's load to the start of the next scenario.
    pub cooldown: Span,
    /// Users started per second. If unset, a tenth of the users; in a search for capacities a fifth.
    pub spawn_rate: Option<f64>,
    /// Scenarios with more users than this are refused, so that nobody starts a very large load by mistake.
    pub max_users: u32,
    /// How long each phase of a scenario may take.
    pub timeouts: Timeouts,
    /// The service under test.
    pub inference: Inference,
    /// Whether an autoscaler of the service is paused for the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pause_autoscaler: bool,
    /// How results are kept. It is no part of the plan, so that a run can be resumed with another value.
    #[serde(skip)]
    pub record: RecordSettings,
}

/// How results are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordSettings {
    /// The records of how many runs the cluster keeps, this one included.
    pub keep: usize,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self { keep: 2 }
    }
}

/// How long each phase of a scenario may take before it fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Until Locust's master answers for the first time.
    pub master: Span,
    /// Until every replica of the service is ready.
    pub ready: Span,
    /// For how long pods may find no node before the cluster counts as too small. A cluster that adds nodes needs longer,
    /// until its autoscaler says that one comes.
    #[serde(skip_serializing_if = "is_default_place")]
    pub place: Span,
    /// Until Locust's master lists exactly the requested workers.
    pub workers: Span,
    /// Until every user runs, in addition to users / spawn rate.
    pub ramp: Span,
    /// Until every worker is idle after a stop.
    pub stop: Span,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default(unknown: &Unknown) -> bool {
    *unknown == Unknown::default()
}

/// See [`Timeouts::place`].
const PLACE: Span = Span::from_millis(1500);

/// The hash of a plan that leaves it out is that of plans from before it.
fn is_default_place(place: &Span) -> bool {
    *place == PLACE
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            master: Span::from_secs(90),
            ready: Span::from_secs(180),
            place: PLACE,
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
    /// The name of the workload that is scaled, a Deployment as a rule.
    pub deployment: String,
    /// The workload that is scaled, with its kind, as `kubectl scale` names it; empty if `deployment` names it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workload: String,
    /// The URL that Locust's workers send requests to.
    pub url: String,
    /// A path that every replica answers. Before the load, the driver requests it at `url` until every replica
    /// has answered.
    pub readiness_path: String,
    /// Where the driver asks instead, if it is not at `url`: `http://:8000/v2/health/ready` is another port of the
    /// same host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// The endpoint that verdicts and findings use: method and name in Locust's statistics.
    pub primary: String,
    /// Where each pod serves Prometheus metrics, as `PORT/path` or `http://:PORT/path`; empty if the service has
    /// none.
    pub metrics: String,
    /// Which counter on that page counts requests.
    #[serde(skip_serializing_if = "is_default_counter")]
    pub counter: Counter,
}

fn is_default_counter(counter: &Counter) -> bool {
    *counter == Counter::default()
}

impl Default for Inference {
    fn default() -> Self {
        Self {
            deployment: "inference".into(),
            workload: String::new(),
            url: "http://inference:8000".into(),
            readiness_path: "/healthz".into(),
            health: None,
            primary: "POST /predict".into(),
            metrics: "8000/metrics".into(),
            counter: Counter::default(),
        }
    }
}

impl Inference {
    /// What is scaled. A name without a kind may be that of a Deployment or of anything else that can be scaled.
    pub fn target(&self) -> WorkloadName {
        let is_deployment = self.workload.is_empty();
        let text = if is_deployment { &self.deployment } else { &self.workload };
        // A checked configuration has a name that can be read.
        let name = text.parse().unwrap_or_else(|_| WorkloadName::deployment(text));
        WorkloadName { deployment_first: is_deployment, ..name }
    }
}

/// Users that are enough at response times of 10 s. Each worker gets an equal share of the arrivals, which are random, and
/// has users of its own: four standard deviations more than are busy there on average, so that an arrival does not wait for
/// a user while those of other workers are free.
pub fn pool_for(rate: f64, workers: u32) -> u32 {
    let workers = workers.max(1);
    let busy = rate * 10.0 / f64::from(workers);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and the cast saturates"
    )]
    let each = (busy + 4.0 * busy.sqrt() + 1.0).ceil() as u32;
    each.saturating_mul(workers)
}

impl Config {
    /// Users started per second in a scenario of `users`: the setting, else a tenth of the users, but at
    /// least 1. A search makes many short measurements, and starts its users in half of the time.
    pub fn spawn_rate_for(&self, users: u32) -> f64 {
        let ramp_s = if self.capacity.is_some() { 5.0 } else { 10.0 };
        self.spawn_rate.unwrap_or_else(|| (f64::from(users) / ramp_s).max(1.0))
    }

    /// Users of the open model for a rate: the setting, else [`pool_for`], but at most `max_users`.
    pub fn pool_for(&self, rate: f64, workers: u32) -> u32 {
        self.pool.unwrap_or_else(|| pool_for(rate, workers).clamp(1, self.max_users))
    }

    /// The longest measurement of a scenario.
    pub fn longest(&self) -> Duration {
        self.max_duration.map_or(self.duration.get() * 2, Span::get)
    }

    /// The shortest measurement of a scenario; `None` unless `until: stable`.
    pub fn shortest(&self) -> Option<Duration> {
        (self.until == Until::Stable).then(|| self.min_duration.map_or(self.duration.get() / 4, Span::get))
    }

    /// Whether the scenarios run in random order.
    pub fn is_shuffled(&self) -> bool {
        self.shuffle.unwrap_or(self.repeats > 1)
    }
}
