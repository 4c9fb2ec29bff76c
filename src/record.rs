//! What is known of a scenario after it has run; every report is derived from these.

mod file;
mod judge;
mod mirror;
mod shards;
mod verdict;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use file::RecordFile;
pub use judge::judge;
pub use mirror::{Found, Mirror, RunState};
pub use shards::{SHARDS, Shards, decode, encode};
pub use verdict::{Judgement, Verdict};

use crate::config::Objective;
use crate::measure::{Course, Health, HealthWindow, Member, OpenCounts, Part, Window, busiest_over_mean};
use crate::plan::Scenario;

/// The version of the record format; a reader refuses a newer one. Version 1 had no parts, no health and no
/// membership: its verdicts stand as they were given.
pub const VERSION: u32 = 2;

/// One line of `results.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format version.
    pub version: u32,
    /// The run: the Job's UID in a cluster, a time-ordered id outside.
    pub run_id: String,
    /// Hash of the plan the run was started with.
    pub plan_hash: String,
    /// What was to be measured.
    pub scenario: Scenario,
    /// Which try of this scenario it is, from 1.
    pub attempt: u32,
    /// Where and against what it ran.
    pub setting: Setting,
    /// When scaling began.
    pub started_at: Timestamp,
    /// When the last figure was taken.
    pub finished_at: Timestamp,
    /// Time spent per phase, ms; see [`crate::scenario::Phase`].
    pub timings_ms: BTreeMap<String, u64>,
    /// The measured window: the steady part of the measurement.
    pub window: Option<Window>,
    /// Everything from the first request of the ramp to the last one after the stop.
    pub whole_run: Option<Window>,
    /// The measurement from its beginning, from cut to cut.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// How long it was to be measured, and what decides that.
    #[serde(default)]
    pub course: Option<Course>,
    /// What the service is meant to reach.
    #[serde(default)]
    pub objective: Objective,
    /// In the open model, what was due and started within the window.
    #[serde(default)]
    pub open: Option<OpenCounts>,
    /// Who was there at both ends; `None` where no load began.
    #[serde(default)]
    pub membership: Option<Membership>,
    /// What disturbed the load while it was measured, first.
    #[serde(default)]
    pub disturbed: Option<String>,
    /// Exceptions in the test script, and how often.
    #[serde(default)]
    pub exceptions: Vec<(String, u64)>,
    /// Why it could not be measured, where that is so.
    #[serde(default)]
    pub unmeasured: Option<Verdict>,
    /// What was seen about every second while measuring.
    pub samples: Vec<Sample>,
    /// Each replica's own counts.
    pub replicas: Vec<Replica>,
    /// Each worker's health.
    pub workers: Vec<WorkerHealth>,
    /// Failed requests by kind, as Locust tells them: `METHOD name: error` and how often.
    pub errors: Vec<(String, u64)>,
    /// Whether the figures can be trusted, as it was judged when it was recorded; reports judge anew.
    pub verdict: Verdict,
}

/// Where and against what a run was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// `kind`, `embedded`, or `existing` for any other cluster.
    pub cluster: String,
    /// Where the load was sent.
    pub target: String,
    /// The endpoint that verdicts use.
    pub primary: String,
    /// Image of each Deployment, as its pod template names it.
    pub images: BTreeMap<String, String>,
    /// What made the load, such as `Locust 2.46.6`.
    pub generator: String,
    /// Significant digits of the response times behind the percentiles.
    pub percentile_digits: u32,
    /// What the order of the scenarios was drawn from; `None` where it was not drawn.
    #[serde(default)]
    pub order_seed: Option<u64>,
}

/// What was seen at one moment of the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the measurement began.
    pub at: f64,
    /// Requests finished since then.
    pub requests: u64,
    /// Failures since then.
    pub failures: u64,
    /// Median response time since the sample before, ms.
    pub p50_ms: Option<u32>,
    /// 95th percentile since the sample before, ms.
    pub p95_ms: Option<u32>,
    /// Users that run.
    pub users: u32,
}

/// One replica's own counts over the whole run of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The pod.
    pub pod: String,
    /// Requests it finished for the load generator, by `endpoint status`; `None` where it has no
    /// such counter or could not be asked.
    pub requests: Option<BTreeMap<String, u64>>,
}

/// One worker's health over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerHealth {
    /// Locust's id of the worker.
    pub id: String,
    /// Highest CPU seen, % of one core, over 10 s each.
    pub cpu_percent: f64,
    /// Most resident memory seen, bytes.
    pub memory_bytes: u64,
    /// Its own view when the window opened.
    #[serde(default)]
    pub opening: Option<Health>,
    /// Its own view when the window closed.
    #[serde(default)]
    pub closing: Option<Health>,
}

/// Who was there before the load began and after it had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Replicas before the load.
    pub replicas_before: Vec<Member>,
    /// Replicas after it.
    pub replicas_after: Vec<Member>,
    /// Locust workers before the load.
    pub workers_before: Vec<Member>,
    /// Locust workers after it.
    pub workers_after: Vec<Member>,
}

impl Record {
    /// Whether its figures may be cited.
    pub fn is_valid(&self) -> bool {
        self.verdict.judgement == Judgement::Valid
    }

    /// Requests of its busiest replica over the mean of all, where their own counts say so.
    pub fn busiest_over_mean(&self) -> Option<f64> {
        let requests: Vec<_> = self.replicas.iter().map(Replica::total).collect();
        busiest_over_mean(&requests)
    }
}

impl Replica {
    /// All requests it finished for the load generator.
    pub fn total(&self) -> Option<u64> {
        self.requests.as_ref().map(|counts| counts.values().sum())
    }
}

impl WorkerHealth {
    /// Its health between the window's ends, where it has told both.
    pub fn over_window(&self) -> Option<HealthWindow> {
        Some(self.closing.as_ref()?.since(self.opening.as_ref()?))
    }

    /// The pod it runs in, which is what its id begins with.
    pub fn pod(&self) -> &str {
        self.id.split('_').next().unwrap_or(&self.id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::measure::{Endpoint, Histogram};
    use crate::plan::Mode;

    /// A valid record of 20 s with `requests` of 100 ms each and a think time that accounts for its users.
    pub(crate) fn record(index: usize, replicas: u32, users: u32, requests: u64) -> Record {
        let endpoint = |method: &str, name: &str| Endpoint {
            method: method.into(),
            name: name.into(),
            requests,
            failures: 0,
            total_ms: requests as f64 * 100.0,
            histogram: Histogram(BTreeMap::from([(100, requests)])),
            succeeded: Histogram(BTreeMap::from([(100, requests)])),
            from_send: None,
        };
        let window = Window {
            seconds: 20.0,
            cut_spread_ms: 1.0,
            aggregated: endpoint("", "Aggregated"),
            endpoints: vec![endpoint("POST", "/predict")],
        };
        Record {
            version: VERSION,
            run_id: "run".into(),
            plan_hash: "hash".into(),
            scenario: Scenario {
                id: format!("closed-r{replicas}-w2-u{users}-1"),
                index,
                mode: Mode::Closed,
                replicas,
                workers: 2,
                users,
                rate: None,
                repeat: 1,
                drift: false,
            },
            attempt: 1,
            setting: Setting {
                cluster: "kind".into(),
                target: "http://inference:8000".into(),
                primary: "POST /predict".into(),
                images: BTreeMap::from([("inference".into(), "fake-inference:1".into())]),
                generator: "Locust 2.46.6".into(),
                percentile_digits: 3,
                order_seed: None,
            },
            started_at: Timestamp::from_second(1_700_000_000).unwrap(),
            finished_at: Timestamp::from_second(1_700_000_030).unwrap(),
            timings_ms: BTreeMap::from([("scale".into(), 1200)]),
            window: Some(window.clone()),
            whole_run: Some(window),
            parts: parts(requests),
            course: Some(Course {
                users: Some(users),
                think_s: (f64::from(users) * 20.0 / requests.max(1) as f64 - 0.1).max(0.0),
                duration_s: 20.0,
                stop_early_after_s: None,
                most_s: 40.0,
                exact: true,
                shares: vec![0.95],
            }),
            objective: Objective::default(),
            open: None,
            membership: None,
            disturbed: None,
            exceptions: vec![],
            unmeasured: None,
            samples: vec![Sample { at: 1.0, requests, failures: 0, p50_ms: Some(100), p95_ms: None, users }],
            replicas: vec![],
            workers: vec![],
            errors: vec![],
            verdict: Verdict::valid(),
        }
    }

    /// The requests in three windows.
    fn parts(requests: u64) -> Vec<Part> {
        let part = |requests: u64| Part {
            seconds: 20.0 / 3.0,
            requests,
            total_ms: requests as f64 * 100.0,
            primary: Histogram(BTreeMap::from([(100, requests)])),
        };
        let third = requests / 3;
        vec![part(third), part(third), part(requests - 2 * third)]
    }

    #[test]
    fn a_record_reads_back_from_its_line() {
        let record = record(0, 1, 20, 800);
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
