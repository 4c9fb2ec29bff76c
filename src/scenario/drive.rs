//! Carries out the actions of the state machine for one scenario.

mod load;
mod measure;
mod ready;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use records::{
    Interval, Membership, Mode, OpenCounts, Record, Replica, Sample, Scenario, StoppingRule, Unmeasured,
    VERSION, Window, WorkerHealth,
};
use tokio::time::Instant;

use super::machine::{Action, Event};
use super::setup::{DEADMAN, Run, Setup};
use crate::cluster::PodSummary;
use crate::events::Progress;
use crate::exit::{Error, Result};
use crate::load::{LoadGenerator, Snapshot, State};
use crate::wait::{Condition, TimedOut, poll};

/// Finer response times than Locust's own come with our module, and with it exact cuts.
const EXACT_DIGITS: u32 = 3;
/// How often Locust is asked for a snapshot while something is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One scenario on its way, with everything gathered so far.
pub(super) struct Drive<'a, L> {
    setup: &'a Setup<L>,
    scenario: &'a Scenario,
    started_at: Timestamp,
    timings: BTreeMap<String, u64>,
    before: Before,
    gathered: Gathered,
    /// When the load was asked to stop; the cooldown counts from here.
    pub(super) stopped: Option<Instant>,
}

/// The state when the load began.
#[derive(Default)]
struct Before {
    pods: Vec<PodSummary>,
    workers: Vec<PodSummary>,
    counts: BTreeMap<String, Option<BTreeMap<String, u64>>>,
}

/// The parts of the record that are gathered on the way.
#[derive(Default)]
struct Gathered {
    window: Option<Window>,
    whole: Option<Window>,
    intervals: Vec<Interval>,
    open: Option<OpenCounts>,
    samples: Vec<Sample>,
    health: Vec<WorkerHealth>,
    replicas: Vec<Replica>,
    errors: Vec<(String, u64)>,
    exceptions: Vec<(String, u64)>,
    membership: Option<Membership>,
    disturbed: Option<String>,
}

impl From<Error> for Event {
    fn from(error: Error) -> Self {
        Self::Abandoned(error)
    }
}

impl<'a, L: LoadGenerator + Sync> Drive<'a, L> {
    pub(super) fn new(setup: &'a Setup<L>, scenario: &'a Scenario) -> Self {
        Self {
            setup,
            scenario,
            started_at: Timestamp::now(),
            timings: BTreeMap::new(),
            before: Before::default(),
            gathered: Gathered::default(),
            stopped: None,
        }
    }

    /// Carries out one action; the caller handles the ends of a scenario.
    pub(super) async fn perform(&mut self, action: &Action) -> Event {
        let done = match action {
            Action::Scale => self.scale().await,
            Action::AwaitReady => self.await_ready().await,
            Action::WarmUp => self.warm_up().await,
            Action::Measure => self.measure().await,
            Action::Drain => self.drain().await,
            Action::Record(_) | Action::Leave => Ok(()),
        };
        done.err().unwrap_or(Event::Done)
    }

    /// Notes how long a phase took, and tells it.
    fn took(&mut self, phase: &str, since: Instant, words: impl Into<String>) {
        let took = since.elapsed();
        self.note(phase, took);
        self.setup.events.tell(Progress::phase(words, took));
    }

    fn note(&mut self, phase: &str, took: Duration) {
        self.timings.insert(phase.to_owned(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    }

    /// Asks Locust for snapshots until `done`. A snapshot that fails is asked for again.
    async fn look_until(
        &self,
        limit: Duration,
        done: impl Fn(&Snapshot) -> bool,
    ) -> Result<Snapshot, TimedOut> {
        poll(limit, LOOK_EVERY, || async {
            match self.setup.load.snapshot(DEADMAN).await {
                Ok(snapshot) if done(&snapshot) => Condition::Met(snapshot),
                Ok(snapshot) => Condition::NotMet(snapshot.describe()),
                Err(error) => Condition::NotMet(error.message),
            }
        })
        .await
    }

    /// What decides how long it is measured.
    fn stopping_rule(&self) -> StoppingRule {
        let (config, scenario) = (&self.setup.config, self.scenario);
        let mut quantiles: Vec<f64> =
            config.objective.goals().into_iter().map(|(quantile, _)| quantile).collect();
        if quantiles.is_empty() {
            quantiles.push(0.95);
        }
        StoppingRule {
            users: (scenario.mode == Mode::Closed).then_some(scenario.users),
            think_s: config.think_time.secs(),
            duration_s: config.duration.secs(),
            stop_early_after_s: config.shortest().map(|least| least.as_secs_f64()),
            most_s: config.longest().as_secs_f64(),
            exact: self.setup.environment.percentile_digits >= EXACT_DIGITS,
            quantiles,
        }
    }

    /// The record of the scenario; `unmeasured` says why there are no figures, if so.
    pub(super) fn record(self, run: &Run, attempt: u32, unmeasured: Option<Unmeasured>) -> Record {
        let stopping_rule = self.stopping_rule();
        let gathered = self.gathered;
        Record {
            version: VERSION,
            run_id: run.run_id.clone(),
            plan_hash: run.plan_hash.clone(),
            scenario: self.scenario.clone(),
            attempt,
            environment: self.setup.environment.clone(),
            started_at: self.started_at,
            finished_at: Timestamp::now(),
            timings_ms: self.timings,
            window: gathered.window,
            whole_run: gathered.whole,
            intervals: gathered.intervals,
            stopping_rule: Some(stopping_rule),
            objective: self.setup.config.objective,
            open: gathered.open,
            membership: gathered.membership,
            disturbed: gathered.disturbed,
            exceptions: gathered.exceptions,
            unmeasured,
            samples: gathered.samples,
            replicas: gathered.replicas,
            workers: gathered.health,
            errors: gathered.errors,
        }
    }
}

/// Whether the load must be stopped before anything else is done.
pub(super) fn needs_stop(snapshot: &Snapshot) -> bool {
    snapshot.is_active() && snapshot.state != State::Stopping
}
