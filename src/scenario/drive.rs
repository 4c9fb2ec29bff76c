//! Carries out the actions of the state machine for one scenario.

mod load;
mod measure;
mod ready;
mod signals;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use records::{
    Environment, Interval, Membership, Mode, OpenCounts, Record, Replica, Sample, Scenario, StoppingRule,
    Unmeasured, UnmeasuredKind, VERSION, Window, WorkerHealth,
};
use tokio::time::Instant;

use super::counts::PodCounts;
use super::machine::{Action, Event};
use super::seen::{image_ids, limits};
use super::setup::{DEADMAN, Run, Setup};
use super::under_way::UnderWay;
use crate::cluster::PodSummary;
use crate::events::Progress;
use crate::load::{LoadGenerator, Snapshot};
use crate::wait::{Condition, TimedOut, poll};

/// How often a snapshot is taken while the load generator should reach a state.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// How many neighbouring intervals must agree. They are also the sections of the confidence intervals.
const AGREEING: usize = 5;
/// The scenario is disturbed if the load generator does not answer for this long while it is measured. A cut waits up
/// to 5 s for a worker.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// How often a snapshot is taken while load runs.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// One scenario in progress, with everything gathered so far.
pub(super) struct Drive<'a, L> {
    setup: &'a Setup<L>,
    scenario: &'a Scenario,
    /// Which try of this scenario it is, from 1.
    attempt: u32,
    started_at: Timestamp,
    timings: BTreeMap<String, u64>,
    at_start: AtStart,
    gathered: Gathered,
    /// Whether an action has failed. The load then only has to stop; its workers need not all be there.
    went_wrong: bool,
    /// When the load was asked to stop; the cooldown starts then.
    pub(super) stopped: Option<Instant>,
}

/// The pods, and the replicas' counts, immediately before the load was started.
#[derive(Default)]
struct AtStart {
    replicas: Vec<PodSummary>,
    workers: Vec<PodSummary>,
    /// The ids of the workers on the load generator's list.
    listed: BTreeSet<String>,
    /// How often the load generator's counts had been set to zero.
    resets: u64,
    counts: PodCounts,
}

/// The parts of the record that are gathered while the scenario runs.
#[derive(Default)]
struct Gathered {
    window: Option<Window>,
    whole_run: Option<Window>,
    intervals: Vec<Interval>,
    open: Option<OpenCounts>,
    samples: Vec<Sample>,
    workers: Vec<WorkerHealth>,
    replicas: Vec<Replica>,
    under_way: UnderWay,
    errors: Vec<(String, u64)>,
    exceptions: Vec<(String, u64)>,
    membership: Option<Membership>,
    disturbed: Option<String>,
    impossible: u64,
    folded: u64,
    resets: u64,
    cut_off: u64,
}

impl<'a, L: LoadGenerator + Sync> Drive<'a, L> {
    pub(super) fn new(setup: &'a Setup<L>, scenario: &'a Scenario, attempt: u32) -> Self {
        Self {
            setup,
            scenario,
            attempt,
            started_at: Timestamp::now(),
            timings: BTreeMap::new(),
            at_start: AtStart::default(),
            gathered: Gathered::default(),
            went_wrong: false,
            stopped: None,
        }
    }

    /// Carries out one action. The last action of a scenario is left to the caller.
    pub(super) async fn perform(&mut self, action: &Action) -> Event {
        let done = match action {
            Action::Scale => self.scale().await,
            Action::AwaitReady => self.await_ready().await,
            Action::WarmUp => self.warm_up().await,
            Action::Measure => self.measure().await,
            Action::Drain => self.drain().await,
            Action::Record(_) | Action::Discard => Ok(()),
        };
        let event = done.err().unwrap_or(Event::Done);
        if let Event::Failed(Unmeasured { kind: UnmeasuredKind::Disturbed, reasons }) = &event {
            self.gathered.disturbed = self.gathered.disturbed.take().or_else(|| reasons.first().cloned());
        }
        self.went_wrong |= event != Event::Done;
        event
    }

    /// The scenario was disturbed by something that none of its actions has noticed.
    pub(super) fn note_disturbance(&mut self, why: String) -> Event {
        self.went_wrong = true;
        self.gathered.disturbed.get_or_insert(why.clone());
        Event::disturbed(why)
    }

    /// Records how long a phase took, and tells the user that it is over.
    fn end_phase(&mut self, phase: &str, started: Instant, words: impl Into<String>) {
        let took = started.elapsed();
        self.record_timing(phase, took);
        self.setup.events.tell(Progress::phase(words, took));
    }

    fn record_timing(&mut self, phase: &str, took: Duration) {
        self.timings.insert(phase.to_owned(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    }

    /// Takes snapshots until one meets the condition. After an error, the next snapshot is tried. The user hears of
    /// a wait for `subject` that lasts.
    async fn await_snapshot(
        &self,
        subject: &str,
        limit: Duration,
        condition: impl Fn(&Snapshot) -> bool,
    ) -> Result<Snapshot, TimedOut> {
        poll(limit, POLL_EVERY, &self.setup.events.waiting(subject), || async {
            match self.setup.load.snapshot(DEADMAN).await {
                Ok(snapshot) if condition(&snapshot) => Condition::Met(snapshot),
                Ok(snapshot) => Condition::NotMet(snapshot.describe()),
                Err(error) => Condition::NotMet(error.message),
            }
        })
        .await
    }

    /// The rule that decides how long the scenario is measured.
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
            exact: self.setup.capabilities.exact_windows,
            agreeing: AGREEING,
            resolution_us: 1,
            quantiles,
        }
    }

    /// The environment of the run, with what the pods of this scenario run and may use.
    fn environment(&self) -> Environment {
        let AtStart { replicas, workers, .. } = &self.at_start;
        let mut environment = self.setup.environment.clone();
        environment.image_ids.extend(image_ids(replicas));
        environment.limits.extend(limits(replicas).into_iter().chain(limits(workers)));
        environment
    }

    /// The record of the scenario; `unmeasured` says why it has no figures, if it has none.
    pub(super) fn record(self, run: &Run, unmeasured: Option<Unmeasured>) -> Record {
        let stopping_rule = self.stopping_rule();
        let environment = self.environment();
        let gathered = self.gathered;
        Record {
            version: VERSION,
            run_id: run.run_id.clone(),
            plan_hash: run.plan_hash.clone(),
            scenario: self.scenario.clone(),
            attempt: self.attempt,
            environment: environment.into(),
            started_at: self.started_at,
            finished_at: Timestamp::now(),
            timings_ms: self.timings,
            window: gathered.window,
            whole_run: gathered.whole_run,
            intervals: gathered.intervals,
            stopping_rule: Some(stopping_rule),
            objective: self.setup.config.objective.clone(),
            open: gathered.open,
            membership: gathered.membership,
            disturbed: gathered.disturbed,
            impossible: gathered.impossible,
            folded: gathered.folded,
            resets: gathered.resets,
            cut_off: gathered.cut_off,
            exceptions: gathered.exceptions,
            unmeasured,
            samples: gathered.samples,
            replicas: gathered.replicas,
            workers: gathered.workers,
            errors: gathered.errors,
            left_out: vec![],
        }
    }
}
