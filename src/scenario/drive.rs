//! Carries out what the state machine asks for, for one scenario.

mod load;
mod measure;
mod ready;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::matrix::{Run, Setup};
use super::{Happening, Operation};
use crate::cluster::PodSummary;
use crate::events::Event;
use crate::exit::{Error, Result};
use crate::load::{LoadGenerator, Snapshot, State};
use crate::measure::{Course, OpenCounts, Part, Window};
use crate::plan::{Mode, Scenario};
use crate::record::{Membership, Record, Replica, Sample, VERSION, Verdict, WorkerHealth, judge};
use crate::wait::{Condition, TimedOut, poll};

/// Load that is not looked at for this long stops by itself: the driver is gone.
pub(super) const DEADMAN: Duration = Duration::from_mins(1);
/// Finer response times than Locust's own come with our module, and with it exact cuts.
const EXACT_DIGITS: u32 = 3;
/// How often Locust is looked at while something is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One scenario on its way, and what was gathered so far.
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

/// What was there when the load began.
#[derive(Default)]
struct Before {
    pods: Vec<PodSummary>,
    workers: Vec<PodSummary>,
    counts: BTreeMap<String, Option<BTreeMap<String, u64>>>,
}

/// What the record is made of.
#[derive(Default)]
struct Gathered {
    window: Option<Window>,
    whole: Option<Window>,
    parts: Vec<Part>,
    open: Option<OpenCounts>,
    samples: Vec<Sample>,
    health: Vec<WorkerHealth>,
    replicas: Vec<Replica>,
    errors: Vec<(String, u64)>,
    exceptions: Vec<(String, u64)>,
    membership: Option<Membership>,
    disturbed: Option<String>,
}

impl From<Error> for Happening {
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

    /// Carries out one operation; the ends of a scenario are the caller's.
    pub(super) async fn perform(&mut self, operation: &Operation) -> Happening {
        let done = match operation {
            Operation::Scale => self.scale().await,
            Operation::AwaitReady => self.await_ready().await,
            Operation::WarmUp => self.warm_up().await,
            Operation::Measure => self.measure().await,
            Operation::Drain => self.drain().await,
            Operation::Record(_) | Operation::Leave => Ok(()),
        };
        done.err().unwrap_or(Happening::Done)
    }

    /// Notes how long a phase took, and tells it.
    fn took(&mut self, phase: &str, since: Instant, words: impl Into<String>) {
        let took = since.elapsed();
        self.note(phase, took);
        self.setup.events.tell(Event::phase(words, took));
    }

    fn note(&mut self, phase: &str, took: Duration) {
        self.timings.insert(phase.to_owned(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    }

    /// Looks at Locust until `done`; an answer that does not come is asked for again.
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

    /// How long it is measured, and what decides that.
    fn course(&self) -> Course {
        let (config, scenario) = (&self.setup.config, self.scenario);
        let mut shares: Vec<f64> = config.objective.goals().into_iter().map(|(share, _)| share).collect();
        if shares.is_empty() {
            shares.push(0.95);
        }
        Course {
            users: (scenario.mode == Mode::Closed).then_some(scenario.users),
            think_s: config.think_time.secs(),
            duration_s: config.duration.secs(),
            stop_early_after_s: config.shortest().map(|least| least.as_secs_f64()),
            most_s: config.longest().as_secs_f64(),
            exact: self.setup.setting.percentile_digits >= EXACT_DIGITS,
            shares,
        }
    }

    /// The record of the scenario, judged; `unmeasured` says why there are no figures, if so.
    pub(super) fn record(self, run: &Run, attempt: u32, unmeasured: Option<Verdict>) -> Record {
        let course = self.course();
        let gathered = self.gathered;
        let mut record = Record {
            version: VERSION,
            run_id: run.run_id.clone(),
            plan_hash: run.plan_hash.clone(),
            scenario: self.scenario.clone(),
            attempt,
            setting: self.setup.setting.clone(),
            started_at: self.started_at,
            finished_at: Timestamp::now(),
            timings_ms: self.timings,
            window: gathered.window,
            whole_run: gathered.whole,
            parts: gathered.parts,
            course: Some(course),
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
            verdict: Verdict::valid(),
        };
        record.verdict = judge(&record);
        record
    }
}

/// Whether the load must be stopped before anything else is done.
pub(super) fn needs_stop(snapshot: &Snapshot) -> bool {
    snapshot.is_active() && snapshot.state != State::Stopping
}
