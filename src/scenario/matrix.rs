//! A run: every scenario of the plan that is not recorded yet, one at a time.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::drive::{DEADMAN, Drive, needs_stop};
use super::{Due, End, Happening, Operation, Phase};
use crate::cluster::{Cluster, PodHttp, Workload};
use crate::config::Config;
use crate::events::Event;
use crate::events::Events;
use crate::exit::{Error, Result};
use crate::load::{LoadGenerator, Snapshot};
use crate::plan::{Plan, Scenario};
use crate::record::{Judgement, Mirror, Record, RecordFile, Setting, Verdict};
use crate::wait::{Condition, poll};

/// A VOID scenario is tried once more.
const ATTEMPTS: u32 = 2;

/// What every scenario of a run is driven with.
#[derive(Debug)]
pub struct Setup<L> {
    /// The cluster.
    pub cluster: Cluster,
    /// What makes the load.
    pub load: L,
    /// The settings.
    pub config: Config,
    /// The service under test, as it was found.
    pub inference: Workload,
    /// The Locust workers, as they were found.
    pub workers: Workload,
    /// What every record says of the run.
    pub setting: Setting,
    /// For the replicas' own counters.
    pub reach: PodHttp,
    /// Where progress is told.
    pub events: Events,
}

/// Which run it is.
#[derive(Clone, Debug)]
pub struct Run {
    /// See [`Record::run_id`].
    pub run_id: String,
    /// See [`Record::plan_hash`].
    pub plan_hash: String,
}

/// A run on its way.
#[derive(Debug)]
pub struct Matrix<L> {
    /// What it is driven with.
    pub setup: Setup<L>,
    /// What is to be measured.
    pub plan: Plan,
    /// Which run it is.
    pub run: Run,
    /// What is recorded, by earlier pods too.
    pub records: Vec<Record>,
    /// The records on disk.
    pub file: RecordFile,
    /// The records in the cluster.
    pub mirror: Option<Mirror>,
    /// Cancelled by a signal.
    pub interrupted: CancellationToken,
    /// Cancelled when another driver has taken over.
    pub superseded: CancellationToken,
}

impl<L: LoadGenerator + Sync> Matrix<L> {
    /// Measures what is not recorded yet. A scenario that fails is a record, and the run goes on.
    ///
    /// # Errors
    /// Exit code 4 or 130: the run cannot go on; what is recorded stays.
    pub async fn run(&mut self) -> Result<()> {
        let of = self.plan.scenarios.len();
        let recorded = |records: &[Record], scenario: &Scenario| {
            records.iter().any(|record| record.scenario.id == scenario.id)
        };
        let due: Vec<_> = self
            .plan
            .scenarios
            .iter()
            .filter(|scenario| !recorded(&self.records, scenario))
            .cloned()
            .collect();
        let last = due.last().map(|scenario| scenario.index);
        for scenario in due {
            let (record, stopped) = self.settle(&scenario, of).await?;
            let number = scenario.index + 1;
            self.file.append(&record)?;
            self.records.push(record);
            if let Some(mirror) = &mut self.mirror {
                let slimmed = mirror.write(&self.records).await?;
                if slimmed > 0 {
                    let text = format!(
                        "  the cluster's copy has no per-second samples for {slimmed} records: no room"
                    );
                    self.setup.events.tell(Event::note(text));
                }
            }
            if let Some(record) = self.records.last() {
                self.setup.events.tell(Event::ScenarioEnded {
                    number,
                    of,
                    status: record.verdict.judgement.status().to_owned(),
                    summary: crate::report::summary(record),
                });
            }
            if let Some(stopped) = stopped
                && Some(scenario.index) != last
            {
                let until = stopped + self.setup.config.cooldown.get();
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.interrupted.cancelled() => {}
                    () = self.superseded.cancelled() => {}
                }
            }
        }
        Ok(())
    }

    /// One scenario, tried again where it was disturbed; with the time its load was stopped.
    async fn settle(&self, scenario: &Scenario, of: usize) -> Result<(Record, Option<Instant>)> {
        let mut attempt = 1;
        loop {
            self.setup.events.tell(Event::ScenarioStarted {
                number: scenario.index + 1,
                of,
                point: point(scenario),
                attempt,
            });
            let mut drive = Drive::new(&self.setup, scenario);
            let verdict = self.conduct(&mut drive).await?;
            let stopped = drive.stopped;
            let record = drive.record(&self.run, attempt, verdict);
            if record.verdict.judgement != Judgement::Void || attempt == ATTEMPTS {
                return Ok((record, stopped));
            }
            let reasons = record.verdict.reasons.join("; ");
            self.setup.events.tell(Event::note(format!("  VOID, once more: {reasons}")));
            attempt += 1;
        }
    }

    /// Takes one scenario through the state machine to its end; gives the verdict of a failed one.
    async fn conduct(&self, drive: &mut Drive<'_, L>) -> Result<Option<Verdict>> {
        let mut due = Due::default();
        let mut happening = Happening::Due;
        while let Some(operation) = due.next(happening) {
            match operation {
                Operation::Record(verdict) => return Ok(verdict),
                Operation::Leave => break,
                // Load that runs is stopped, whatever happens meanwhile.
                Operation::Drain => happening = drive.perform(&operation).await,
                _ => {
                    happening = tokio::select! {
                        biased;
                        () = self.interrupted.cancelled() => Happening::Abandoned(interrupted()),
                        () = self.superseded.cancelled() => Happening::Abandoned(superseded()),
                        happening = drive.perform(&operation) => happening,
                    };
                }
            }
        }
        match due.phase() {
            Phase::Over(End::Abandoned(error)) => Err(error.clone()),
            phase => Err(Error::new(crate::exit::ExitCode::Bug, format!("a scenario stopped in {phase:?}"))
                .next("please report this with the log")),
        }
    }
}

/// A scenario in the words of its heading.
fn point(scenario: &Scenario) -> String {
    let Scenario { replicas, workers, users, repeat, .. } = scenario;
    let load = match scenario.rate {
        Some(rate) => format!("open at {rate} requests/s, {users} users at most"),
        None => format!("users {users}"),
    };
    let again = match (scenario.drift, repeat) {
        (true, _) => " · once more, for drift".to_owned(),
        (false, 1) => String::new(),
        (false, repeat) => format!(" · repeat {repeat}"),
    };
    format!("replicas {replicas} · workers {workers} · {load}{again}")
}

fn interrupted() -> Error {
    Error::interrupted("interrupted; the load is stopped and what was recorded is kept")
}

fn superseded() -> Error {
    Error::cluster("another driver has taken the Lease")
        .next(format!("see which Job runs: kubectl get lease {} -o yaml", crate::cluster::JOB))
}

/// Waits until the load generator answers, and stops the load that an earlier driver left behind.
///
/// # Errors
/// Exit code 4: it does not answer within `limit`.
pub async fn quiet(load: &(impl LoadGenerator + Sync), limit: Duration, events: &Events) -> Result<Snapshot> {
    let answered = poll(limit, Duration::from_millis(500), || async {
        match load.snapshot(DEADMAN).await {
            Ok(snapshot) => Condition::Met(snapshot),
            Err(error) => Condition::NotMet(error.to_string()),
        }
    });
    let snapshot = answered.await.map_err(|timed_out| {
        Error::cluster(format!("Locust's master does not answer {timed_out}"))
            .next("look at it with: kubectl describe pods -l app=locust,role=master")
    })?;
    if needs_stop(&snapshot) {
        events.tell(Event::note(format!(
            "load is running already ({} users); stopping it",
            snapshot.user_count
        )));
        load.stop().await?;
    }
    Ok(snapshot)
}
