//! One line of `results.jsonl`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Health, HealthWindow, Interval, Membership, Objective, OpenCounts, Question, Scenario, Shared,
    StoppingRule, Window,
};

/// The version of the record format; a reader refuses a newer one and upgrades version 2.
pub const VERSION: u32 = 3;

/// What was observed of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format version, see [`VERSION`].
    pub version: u32,
    /// The run: the Job's UID in a cluster, a time-ordered id outside.
    pub run_id: String,
    /// Hash of the plan that the run was started with.
    pub plan_hash: String,
    /// The point of the matrix.
    pub scenario: Scenario,
    /// Which try of this scenario it is, from 1.
    pub attempt: u32,
    /// Where and against what it ran.
    pub environment: Shared<Environment>,
    /// When scaling began.
    pub started_at: Timestamp,
    /// When the last figure was taken.
    pub finished_at: Timestamp,
    /// Time spent per phase, ms. The keys are the names that the driver's scenario phases have: `scale`,
    /// `ready`, `replicas`, `workers`, `route`, `ramp`, `warmup`, `open`, `window`, `close`, `drain`.
    pub timings_ms: BTreeMap<String, u64>,
    /// The measured window: the steady part of the measurement. `None` if none was measured.
    pub window: Option<Window>,
    /// Everything from the first request of the ramp to the last one after the stop.
    pub whole_run: Option<Window>,
    /// The measurement from its beginning, from cut to cut.
    pub intervals: Vec<Interval>,
    /// What decided how long it was measured.
    pub stopping_rule: Option<StoppingRule>,
    /// What the service is meant to reach.
    #[serde(default)]
    pub objective: Objective,
    /// In the open model, what was due and started within the window.
    #[serde(default)]
    pub open: Option<OpenCounts>,
    /// The pods at both ends; `None` if no load began.
    #[serde(default)]
    pub membership: Option<Membership>,
    /// The first thing that disturbed the load while it was measured.
    #[serde(default)]
    pub disturbed: Option<String>,
    /// Requests of the measurement whose response time cannot be true. They count as requests and are in no
    /// histogram.
    #[serde(default)]
    pub impossible: u64,
    /// Endpoints that share an entry with others at the end of the measurement, because the load generator
    /// keeps only a limited number of entries.
    #[serde(default)]
    pub folded: u64,
    /// How often the load generator's counts were set to zero during the measurement.
    #[serde(default)]
    pub resets: u64,
    /// Requests that the stop timeout has cut off at the end of the load. The replicas may count them, the load
    /// generator does not.
    #[serde(default)]
    pub cut_off: u64,
    /// Exceptions in the test script, and how often each was raised.
    #[serde(default)]
    pub exceptions: Vec<(String, u64)>,
    /// Why it could not be measured; `None` if it was.
    #[serde(default)]
    pub unmeasured: Option<Unmeasured>,
    /// What was seen about every second while measuring.
    pub samples: Vec<Sample>,
    /// Each replica's own counts.
    pub replicas: Vec<Replica>,
    /// Each worker's health.
    pub workers: Vec<WorkerHealth>,
    /// Failed requests by kind, as the load generator tells them: `METHOD name: error`, and how often.
    pub errors: Vec<(String, u64)>,
    /// What this copy of the record lacks, because the cluster had no room for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A part of a record that a copy of it may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// What was seen about every second.
    Samples,
    /// The response times of the whole run; its counts are there.
    WholeRunHistograms,
    /// The response times of the endpoints that are not the primary one; their counts are there.
    OtherHistograms,
    /// All figures.
    Figures,
}

/// Where and against what a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `kind`, `embedded`, or `existing` for any other cluster.
    pub cluster: String,
    /// Where the load was sent.
    pub target: String,
    /// The endpoint that verdicts and findings use, as `METHOD name`.
    pub primary: String,
    /// Image of each container, as the pod template names it: by the workload's name, or by `WORKLOAD/CONTAINER`
    /// if the template has several containers.
    pub images: BTreeMap<String, String>,
    /// The images that the service's pods ran, by digest, as their nodes told them. The names are those of
    /// `images`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub image_ids: BTreeMap<String, BTreeSet<String>>,
    /// A digest of the pod template of each workload, by its name in records. A resumed run must have the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, String>,
    /// Limits of CPU and memory of each container that has any, in words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    /// The load generator, such as `Locust 2.46.6`.
    pub generator: String,
    /// Significant digits of the response times behind the percentiles.
    pub percentile_digits: u32,
    /// The seed of a shuffled order; `None` if the order was not shuffled.
    #[serde(default)]
    pub order_seed: Option<u64>,
    /// What the run was started to find out.
    #[serde(default)]
    pub question: Question,
    /// What it was made with.
    #[serde(default)]
    pub provenance: Provenance,
}

/// What a run was made with, as far as the driver may see it. Nothing here decides anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The driver's version.
    pub driver: String,
    /// The version of the Kubernetes API server.
    pub kubernetes: String,
    /// The kernel of the machine or node that the driver ran on.
    pub kernel: String,
    /// The nodes of the service and of the load generator when the run began.
    pub nodes: Vec<String>,
    /// The settings.
    pub settings: serde_json::Value,
}

/// Why a scenario could not be measured, as it was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmeasured {
    /// What kind of obstacle it was.
    pub kind: UnmeasuredKind,
    /// What was seen, one sentence each.
    pub reasons: Vec<String>,
}

/// What kept a scenario from being measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnmeasuredKind {
    /// Its pods have no place in this cluster.
    NoPlace,
    /// The service, its pods or the load did not work.
    Broken,
    /// The load was disturbed from outside.
    Disturbed,
    /// The workers of the load generator did not hand over their counts in time.
    GeneratorLate,
    /// The test script cannot make this load.
    ScriptCannot,
    /// The test script has ended the load, or users of it, by itself.
    ScriptEnds,
    /// The service's pods did not become ready.
    NotReady,
    /// The service's address does not lead to its pods.
    Unreachable,
    /// Every request failed from the beginning of the window, so that its rest was not measured.
    EveryRequestFailed,
}

/// What was seen at one moment of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the measurement began.
    pub at: f64,
    /// Requests finished since then.
    pub requests: u64,
    /// Failures since then.
    pub failures: u64,
    /// Median response time since the sample before, µs.
    pub p50_us: Option<u64>,
    /// 95th percentile since the sample before, µs.
    pub p95_us: Option<u64>,
    /// Users that run.
    pub users: u32,
}

/// One replica's own counts over the whole run of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// The pod.
    pub pod: String,
    /// Requests that it finished for the load generator, by `endpoint status`; `None` if it has no such
    /// counter or could not be asked.
    pub requests: Option<BTreeMap<String, u64>>,
    /// Requests of the load generator that this replica was working on, the mean of several readings during
    /// the measurement; `None` if the replicas have no such gauge, or if not all of them answered at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<f64>,
    /// How often its requests under way were read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub readings: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One worker's health over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerHealth {
    /// The load generator's id of the worker.
    pub id: String,
    /// Highest CPU seen, % of one core, over 10 s each.
    pub cpu_percent: f64,
    /// Most resident memory seen, bytes.
    pub memory_bytes: u64,
    /// What the worker itself told when the window opened.
    #[serde(default)]
    pub opening: Option<Health>,
    /// What the worker itself told when the window closed.
    #[serde(default)]
    pub closing: Option<Health>,
}

impl Unmeasured {
    /// One obstacle with one reason.
    pub fn new(kind: UnmeasuredKind, reason: impl Into<String>) -> Self {
        Self { kind, reasons: vec![reason.into()] }
    }
}

impl Record {
    /// Seconds spent in these phases together; `None` if none of them was timed.
    pub fn seconds_in(&self, phases: &[&str]) -> Option<f64> {
        let known = phases.iter().filter_map(|phase| self.timings_ms.get(*phase)).copied();
        known.reduce(|a, b| a + b).map(|ms| ms as f64 / 1000.0)
    }
}

impl Replica {
    /// All requests that it finished for the load generator.
    pub fn total(&self) -> Option<u64> {
        self.requests.as_ref().map(|counts| counts.values().sum())
    }

    /// Those that it answered with an error: HTTP statuses from 400, and codes of gRPC other than OK. `None` if its
    /// counter tells no such status.
    pub fn failed(&self) -> Option<u64> {
        let counts = self.requests.as_ref()?.iter();
        let told = counts.filter_map(|(series, count)| Some((is_error(series.rsplit(' ').next()?)?, count)));
        told.fold(None, |failed, (is_error, count)| {
            Some(failed.unwrap_or(0) + if is_error { *count } else { 0 })
        })
    }
}

/// Whether a status is one of an error; `None` if it is no status.
fn is_error(status: &str) -> Option<bool> {
    /// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>, as Prometheus' middleware for gRPC writes them.
    const GRPC: [&str; 16] = [
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    match status.as_bytes() {
        [first @ b'1'..=b'5', b'x' | b'X' | b'0'..=b'9', b'x' | b'X' | b'0'..=b'9'] => Some(*first >= b'4'),
        b"OK" => Some(false),
        _ => GRPC.contains(&status).then_some(true),
    }
}

impl WorkerHealth {
    /// Its health between the window's ends; `None` unless it told both.
    pub fn over_window(&self) -> Option<HealthWindow> {
        Some(self.closing.as_ref()?.since(self.opening.as_ref()?))
    }

    /// The pod it runs in, which its id begins with.
    pub fn pod(&self) -> &str {
        self.id.split('_').next().unwrap_or(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statuses_of_errors_are_counted_as_failed() {
        let failed = |series: &[&str]| {
            let requests = Some(series.iter().map(|one| ((*one).to_owned(), 3)).collect());
            Replica { requests, ..Replica::default() }.failed()
        };
        assert_eq!(failed(&["/predict 200", "/predict 503", "/predict 4xx", "404"]), Some(9));
        assert_eq!(failed(&["/predict 200", "/predict 2XX"]), Some(0));
        assert_eq!(failed(&["Predict OK", "Predict Unavailable"]), Some(3));
        assert_eq!(failed(&["Predict OK"]), Some(0));
        assert_eq!(failed(&["bert"]), None, "the name of a model is no status");
        assert_eq!(failed(&["Predict 13"]), None, "what a number of gRPC means, its counter does not tell");
        assert_eq!(Replica::default().failed(), None);
    }
}
