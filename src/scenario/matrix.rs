//! A run: one scenario at a time, as the plan decides.

use std::collections::BTreeMap;

use records::{Record, Scenario, Unmeasured, UnmeasuredKind};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::drive::Drive;
use super::machine::{Action, End, Event, Phase, ScenarioMachine};
use super::recover::{make_usable, recover};
use super::setup::{Run, Setup};
use crate::events::Progress;
use crate::exit::{Error, ExitCode, Result};
use crate::judge::{Judged, JudgedRun, Judgement, Verdict, judge_alone, outcomes};
use crate::load::LoadGenerator;
use crate::plan::Plan;
use crate::record::{ConfigMapStore, RecordFile};

/// A run in progress.
#[derive(Debug)]
pub struct Matrix<L> {
    /// What every scenario uses.
    pub setup: Setup<L>,
    /// Decides which scenario is measured next.
    pub plan: Box<dyn Plan>,
    /// The run that the records belong to.
    pub run: Run,
    /// All records of the run, those of earlier pods included.
    pub records: Vec<Record>,
    /// The records on disk.
    pub file: RecordFile,
    /// The records in the cluster.
    pub store: Option<ConfigMapStore>,
    /// Cancelled by a signal.
    pub interrupted: CancellationToken,
}

impl<L: LoadGenerator + Sync> Matrix<L> {
    /// Measures the scenarios that are not recorded yet. A scenario that fails has a record, and the run goes on.
    /// Each attempt at a scenario has a record of its own.
    ///
    /// # Errors
    /// Exit code 3, 4 or 130: the run cannot go on. All records are kept.
    pub async fn run(&mut self) -> Result<()> {
        let mut cooldown_ends = None;
        // Each record is judged alone once; what several records show together is judged after each scenario.
        let mut alone: Vec<Judgement> = self.records.iter().map(judge_alone).collect();
        // The verdict that the user was told for each scenario.
        let mut shown = verdicts(&JudgedRun::of_judged(&self.records, &alone));
        while let Some(scenario) = self.plan.next(&outcomes(&JudgedRun::of_judged(&self.records, &alone))) {
            if let Some(until) = cooldown_ends {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = self.interrupted.cancelled() => {}
                    _ = self.lease_lost() => {}
                }
            }
            if self.setup.lease.as_ref().is_some_and(|lease| lease.lost_because().is_some()) {
                self.unless_interrupted(recover(&self.setup)).await?;
            }
            // Boxed, because this future is large and lives as long as the run.
            let (record, stopped) = Box::pin(self.measure(&scenario)).await?;
            cooldown_ends = stopped.map(|stopped| stopped + self.setup.config.cooldown.get());
            let obstacle = record.unmeasured.as_ref().map(|why| why.kind);
            self.save(record).await?;
            alone.extend(self.records.last().map(judge_alone));
            let judged = JudgedRun::of_judged(&self.records, &alone);
            if judged.is_unfinished(&scenario.id) {
                let reasons = alone.last().map(|judgement| judgement.reasons.clone()).unwrap_or_default();
                self.setup.events.tell(Progress::Retry { reasons });
            } else {
                self.tell_verdicts(&scenario, &judged, &mut shown);
                self.plan
                    .learned(&outcomes(&judged))
                    .into_iter()
                    .for_each(|event| self.setup.events.tell(event));
            }
            match obstacle {
                Some(UnmeasuredKind::Disturbed) => self.unless_interrupted(recover(&self.setup)).await?,
                // The script may have called runner.quit(), which ends the workers.
                Some(UnmeasuredKind::ScriptEnds) => {
                    let Setup { cluster, load, config, events, .. } = &self.setup;
                    let usable = make_usable(cluster, load, config.timeouts.master.get(), events);
                    self.unless_interrupted(usable).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The result of `work`, unless a signal ends the run.
    async fn unless_interrupted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.interrupted.cancelled() => Err(interrupted()),
            done = work => done,
        }
    }

    /// Waits until the Lease is lost; returns why.
    async fn lease_lost(&self) -> String {
        match &self.setup.lease {
            Some(lease) => lease.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Writes the record to disk, then to the cluster.
    async fn save(&mut self, mut record: Record) -> Result<()> {
        self.file.append(&record)?;
        record.compact(self.records.last());
        self.records.push(record);
        let Some(store) = &mut self.store else { return Ok(()) };
        let mut written = store.write(&self.records).await;
        if matches!(&written, Err(error) if error.code == ExitCode::Cluster) {
            // The record is safe on disk, so there is time to wait for the API server.
            recover(&self.setup).await?;
            written = store.write(&self.records).await;
        }
        let without_samples = written?;
        if without_samples > 0 {
            self.setup.events.tell(Progress::SamplesDropped { records: without_samples });
        }
        Ok(())
    }

    /// Tells the verdict of a scenario that has just been recorded, and every earlier verdict that it changes.
    fn tell_verdicts(
        &self,
        scenario: &Scenario,
        judged: &JudgedRun<'_>,
        shown: &mut BTreeMap<String, Verdict>,
    ) {
        for row in &judged.rows {
            let (id, verdict) = (&row.record.scenario.id, row.judgement.verdict);
            let before = shown.insert(id.clone(), verdict);
            if *id == scenario.id {
                self.setup.events.tell(Progress::ScenarioEnded {
                    number: scenario.index + 1,
                    of: self.plan.total(),
                    status: verdict.status().to_owned(),
                    summary: crate::report::console_line(row),
                });
            } else if before.is_some_and(|before| before != verdict) {
                self.setup.events.tell(Progress::VerdictChanged {
                    scenario: id.clone(),
                    status: verdict.status().to_owned(),
                    reasons: row.judgement.reasons.clone(),
                });
            }
        }
    }

    /// Measures one scenario once. Returns its record and when its load was stopped.
    async fn measure(&self, scenario: &Scenario) -> Result<(Record, Option<Instant>)> {
        let earlier = self.records.iter().filter(|record| record.scenario.id == scenario.id);
        let attempt = 1 + earlier.map(|record| record.attempt).max().unwrap_or(0);
        self.setup.events.tell(Progress::ScenarioStarted {
            number: scenario.index + 1,
            of: self.plan.total(),
            point: heading(scenario),
            attempt,
            scenario: scenario.into(),
        });
        let mut drive = Drive::new(&self.setup, scenario, attempt);
        let unmeasured = self.run_to_end(&mut drive).await?;
        let stopped = drive.stopped;
        Ok((drive.record(&self.run, unmeasured), stopped))
    }

    /// Runs one scenario from its start to its end. Returns why it could not be measured, or `None` if it was.
    async fn run_to_end(&self, drive: &mut Drive<'_, L>) -> Result<Option<Unmeasured>> {
        let mut machine = ScenarioMachine::default();
        let mut event = Event::Started;
        while let Some(action) = machine.next(event) {
            match action {
                Action::Record(unmeasured) => return Ok(unmeasured),
                Action::Discard => break,
                // Nothing may interrupt the stop of a load.
                Action::Drain => event = drive.perform(&action).await,
                _ => {
                    // Without the Lease, another driver may scale and load at any time.
                    event = tokio::select! {
                        biased;
                        () = self.interrupted.cancelled() => Event::Abandoned(interrupted()),
                        why = self.lease_lost() => drive.note_disturbance(why),
                        event = drive.perform(&action) => event,
                    };
                }
            }
        }
        match machine.phase() {
            Phase::Over(End::Abandoned(error)) => Err(error.clone()),
            phase => Err(Error::new(ExitCode::Bug, format!("a scenario stopped in {phase:?}"))
                .next("please report this with the log")),
        }
    }
}

/// The verdict of each scenario, by its id.
fn verdicts(judged: &JudgedRun<'_>) -> BTreeMap<String, Verdict> {
    let verdict = |row: &Judged<'_>| (row.record.scenario.id.clone(), row.judgement.verdict);
    judged.rows.iter().map(verdict).collect()
}

/// A scenario in words, for the heading of its progress.
fn heading(scenario: &Scenario) -> String {
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
    Error::interrupted("interrupted; the load is stopped and everything recorded is kept")
}
