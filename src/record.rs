//! What is known of a scenario after it has run; every report is derived from these.

mod file;
mod mirror;
mod shards;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use file::RecordFile;
pub use mirror::{Found, Mirror, RunState};
pub use shards::{SHARDS, Shards, decode, encode};

use crate::measure::Window;
use crate::plan::Scenario;

/// The version of the record format; a reader refuses a newer one.
pub const VERSION: u32 = 1;

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
    /// The measured window.
    pub window: Option<Window>,
    /// Everything from the first request of the ramp to the last one after the stop.
    pub whole_run: Option<Window>,
    /// What was seen about every second while measuring.
    pub samples: Vec<Sample>,
    /// Each replica's own counts.
    pub replicas: Vec<Replica>,
    /// Each worker's health.
    pub workers: Vec<WorkerHealth>,
    /// Failed requests by kind, as Locust tells them: `METHOD name: error` and how often.
    pub errors: Vec<(String, u64)>,
    /// Whether the figures can be trusted.
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
}

/// What was seen at one moment of the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the window opened.
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
}

/// How a scenario is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Judgement {
    /// The figures are what they are called.
    Valid,
    /// It could not be measured.
    Failed,
    /// Workers or replicas changed while it was measured.
    Void,
    /// Its pods cannot be placed in this cluster.
    Infeasible,
}

/// A judgement with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How the scenario is judged.
    pub judgement: Judgement,
    /// Why, one sentence each; empty for a valid one.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// A valid scenario.
    pub const fn valid() -> Self {
        Self { judgement: Judgement::Valid, reasons: Vec::new() }
    }

    /// Any other judgement, with its reason.
    pub fn of(judgement: Judgement, reason: impl Into<String>) -> Self {
        Self { judgement, reasons: vec![reason.into()] }
    }
}

impl Judgement {
    /// The word in the CSV's `Status` column, where a valid row has always been `SUCCESS`.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Valid => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Void => "VOID",
            Self::Infeasible => "INFEASIBLE",
        }
    }
}

impl Record {
    /// Whether its figures may be cited.
    pub fn is_valid(&self) -> bool {
        self.verdict.judgement == Judgement::Valid
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::measure::{Endpoint, Histogram};
    use crate::plan::Mode;

    /// A valid record with `requests` of 100 ms each.
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
                repeat: 1,
            },
            attempt: 1,
            setting: Setting {
                cluster: "kind".into(),
                target: "http://inference:8000".into(),
                primary: "POST /predict".into(),
                images: BTreeMap::from([("inference".into(), "fake-inference:1".into())]),
                generator: "Locust 2.46.6".into(),
                percentile_digits: 3,
            },
            started_at: Timestamp::from_second(1_700_000_000).unwrap(),
            finished_at: Timestamp::from_second(1_700_000_030).unwrap(),
            timings_ms: BTreeMap::from([("scale".into(), 1200)]),
            window: Some(window.clone()),
            whole_run: Some(window),
            samples: vec![Sample { at: 1.0, requests, failures: 0, p50_ms: Some(100), p95_ms: None, users }],
            replicas: vec![],
            workers: vec![],
            errors: vec![],
            verdict: Verdict::valid(),
        }
    }

    #[test]
    fn a_record_reads_back_from_its_line() {
        let record = record(0, 1, 20, 800);
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
