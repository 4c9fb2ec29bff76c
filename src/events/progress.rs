//! The events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Something that happened, and that the user should know.
///
/// The names of the variants and of their fields are the JSON of `docs/events.schema.json`: change both together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Progress {
    /// This workload is about to be scaled and loaded.
    TargetConfirmed {
        /// The name of the service's workload.
        deployment: String,
        /// Its kind in lower case, such as `deployment` or `statefulset`.
        kind: String,
        /// Its namespace.
        namespace: String,
        /// The address of the API server.
        server: String,
    },
    /// Locust's web UI is forwarded to this machine.
    WebUi {
        /// Its address.
        url: String,
    },
    /// Load of an earlier run is still running, and is stopped now.
    LeftoverLoadStopped {
        /// Its users.
        users: u32,
    },
    /// The load generator measures less exactly than it could.
    GeneratorCaveat {
        /// What is less exact, and why.
        caveat: String,
    },
    /// The run begins, or continues.
    RunStarted {
        /// The run.
        run_id: String,
        /// Scenarios planned; `None` if the plan learns which ones it needs.
        scenarios: Option<usize>,
        /// Scenarios that have been recorded before.
        recorded: usize,
        /// Expected time for the other scenarios, s.
        expected_s: f64,
        /// The load generator, such as `Locust 2.46.6`.
        generator: String,
        /// The URL that the load is sent to.
        target: String,
        /// The scenarios in the order of the plan; of a search, those that have been recorded before.
        #[serde(default)]
        plan: Vec<PlannedScenario>,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Place in the plan, from 1.
        number: usize,
        /// Scenarios planned; `None` if the plan does not know yet.
        of: Option<usize>,
        /// Replicas, workers and users, in words.
        point: String,
        /// Which attempt it is, from 1.
        attempt: u32,
        /// The scenario.
        #[serde(flatten)]
        scenario: PlannedScenario,
    },
    /// Locust does not list the workers whose pods are ready, so the pods are replaced.
    WorkersRestarted {
        /// What makes the load.
        generator: String,
        /// How many workers it should list.
        wanted: u32,
    },
    /// Something is being waited for, and it lasts.
    Waiting {
        /// What is waited for, such as a Deployment.
        subject: String,
        /// What was seen last.
        state: String,
        /// How long the wait has lasted, s.
        waited_s: u64,
    },
    /// The load generator's state cannot be used, so that its pods are replaced.
    GeneratorRestarted {
        /// What makes the load.
        generator: String,
        /// What was wrong with it.
        reason: String,
    },
    /// A phase of a scenario, or a step of a deployment, has ended.
    PhaseDone {
        /// What was done.
        what: String,
        /// How long it took, ms.
        took_ms: u64,
    },
    /// The live figures of the window.
    Live {
        /// Time measured so far, s.
        at_s: f64,
        /// Length of the window, s.
        of_s: f64,
        /// Requests per second over the last 10 s.
        rps: f64,
        /// Median response time over the last 10 s, µs.
        median_us: Option<u64>,
        /// 90th percentile of the response times over the last 10 s, µs.
        p90_us: Option<u64>,
        /// 95th percentile of the response times over the last 10 s, µs.
        #[serde(default)]
        p95_us: Option<u64>,
        /// Share of failed requests over the last 10 s, %.
        failures_pct: Option<f64>,
        /// In the open model, late and skipped arrivals of the last 10 s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        open: Option<Arrivals>,
    },
    /// What can be told about a measurement after another interval of it.
    Signals {
        /// Why the figures are not steady yet; `null` if they are.
        unsteady: Option<String>,
        /// The users that Little's law accounts for, % of those that run; `null` in the open model and without a
        /// request.
        accounted_pct: Option<f64>,
        /// The busiest worker's CPU so far, % of what it can have; `null` if the workers do not tell.
        cpu_pct: Option<f64>,
        /// How late the latest worker's event loop is (P95), µs; `null` if the workers do not tell.
        lag_us: Option<u64>,
    },
    /// The figures are not steady or not exact enough yet, so the window is longer than planned.
    MeasurementExtended {
        /// Why.
        reason: String,
    },
    /// Locust does not answer the request to stop its load; the request is repeated.
    LoadStopUnanswered {
        /// What makes the load.
        generator: String,
        /// Without a driver, the load stops by itself after this time, s.
        stops_after_s: u64,
        /// What went wrong.
        error: String,
    },
    /// The last figures of a scenario could not be read, so its record has no figures of the whole run.
    WholeRunMissing {
        /// What went wrong.
        error: String,
    },
    /// A scenario was VOID, and is measured again.
    Retry {
        /// Why it was VOID.
        reasons: Vec<String>,
    },
    /// After a disturbance, the run waits until the cluster and the load generator can be used again.
    Recovering,
    /// A scenario is recorded.
    ScenarioEnded {
        /// Place in the plan, from 1.
        number: usize,
        /// Scenarios planned; `None` if the plan does not know yet.
        of: Option<usize>,
        /// `SUCCESS`, or why its figures cannot be used.
        status: String,
        /// The figures or the reasons, in words.
        summary: String,
    },
    /// A later record has changed the verdict of an earlier scenario.
    VerdictChanged {
        /// The id of the earlier scenario.
        scenario: String,
        /// Its status now.
        status: String,
        /// Why.
        reasons: Vec<String>,
    },
    /// The cluster's copy of the records has no room for all samples; the records on disk have them.
    SamplesDropped {
        /// How many records of the copy have no samples.
        records: usize,
    },
    /// A search has learned from a probe.
    ProbeEnded {
        /// Which probe of these replicas it is, from 1.
        probe: usize,
        /// The replicas whose capacity is searched.
        replicas: u32,
        /// The users of the probe.
        users: u32,
        /// Its rate in the open model, requests/s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rate: Option<f64>,
        /// P95 of the primary endpoint, µs.
        p95_us: Option<u64>,
        /// Whether the objective was met, in words.
        outcome: String,
        /// Users, or requests/s, of the next probe of these replicas; `None` if there is none.
        next: Option<f64>,
        /// If there is none, what was found, in words.
        found: Option<String>,
    },
    /// The answer of a run, such as the replicas for a number of users, or a gate that does not hold.
    Answer {
        /// In words.
        text: String,
    },
    /// The run is over.
    RunEnded {
        /// Scenarios recorded.
        recorded: usize,
        /// Valid scenarios among them.
        valid: usize,
        /// How long it took, s.
        took_s: f64,
    },
    /// The Deployments have the replicas again that they had before the run.
    ReplicasRestored {
        /// The Deployments.
        deployments: Vec<DeploymentReplicas>,
    },
    /// The replicas could not be restored. The command ends with an earlier error.
    RestoreFailed {
        /// What went wrong, and what to do by hand.
        error: String,
    },
    /// The user has interrupted the command, so the Job is suspended.
    JobSuspended,
    /// The Job goes on in another pod.
    JobContinues {
        /// The new pod.
        pod: String,
        /// The exit code of the earlier pod.
        exit_code: i32,
    },
    /// Everything that was deployed is being deleted.
    CleanupStarted {
        /// The namespace.
        namespace: String,
        /// The address of the API server.
        server: String,
    },
    /// Anything else, for people only.
    Note {
        /// In words.
        text: String,
    },
}

/// A scenario of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedScenario {
    /// Its id, as in the records.
    pub scenario: String,
    /// Replicas of the service.
    pub replicas: u32,
    /// Workers of the load generator.
    pub workers: u32,
    /// Users; in the open model, the most requests under way.
    pub users: u32,
    /// Requests per second of the open model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The status of a scenario that has been recorded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Late and skipped arrivals of the open model.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Arrivals {
    /// Requests asked for, 1/s.
    pub rate: f64,
    /// Requests that started more than 10 ms after they were due.
    pub late: u64,
    /// Requests that never started.
    pub skipped: u64,
}

/// A Deployment and its replicas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeploymentReplicas {
    /// The Deployment.
    pub deployment: String,
    /// Its replicas.
    pub replicas: u32,
}

impl From<&records::Scenario> for PlannedScenario {
    fn from(scenario: &records::Scenario) -> Self {
        let records::Scenario { id, replicas, workers, users, rate, .. } = scenario;
        let (scenario, replicas, workers, users, rate) = (id.clone(), *replicas, *workers, *users, *rate);
        Self { scenario, replicas, workers, users, rate, status: None }
    }
}

impl Progress {
    /// A note.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note { text: text.into() }
    }

    /// The end of a phase.
    pub fn phase(what: impl Into<String>, took: Duration) -> Self {
        Self::PhaseDone { what: what.into(), took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl DeploymentReplicas {
    /// This Deployment with this number of replicas.
    pub fn new(deployment: impl Into<String>, replicas: u32) -> Self {
        Self { deployment: deployment.into(), replicas }
    }
}
