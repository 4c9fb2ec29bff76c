//! Before the load: scales the replicas and the workers of the scenario, and waits for them.

use std::time::Duration;

use records::{Scenario, Unmeasured, UnmeasuredKind};
use tokio::time::Instant;

use super::{Drive, POLL_EVERY};
use crate::cluster::{Patience, Unready, await_ready, delete_pods_of, pods_of, scale};
use crate::events::{Progress, many};
use crate::exit::Error;
use crate::load::{LoadGenerator, Snapshot, Unreached};
use crate::scenario::counts;
use crate::scenario::machine::Event;
use crate::scenario::recover::restart;
use crate::scenario::routable::{await_routable, unreached};
use crate::scenario::setup::{DEADMAN, Setup};
use crate::wait::{Condition, TimedOut, poll};

/// If the load generator does not list the ready workers after this time, their pods are replaced. A worker that
/// was killed leaves the list by itself after 30 s.
const LISTED_WITHIN: Duration = Duration::from_secs(40);
/// How often the replicas are set again after somebody else has changed their number.
const SET_AGAIN: u32 = 2;
/// How long the service's address is tried after it has failed for a whole `timeouts.ready`.
const LOOKS_AGAIN: Duration = Duration::from_secs(10);

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn scale(&mut self) -> Result<(), Event> {
        if let Some(why) = self.setup.capabilities.script.refuses(self.scenario.users) {
            return Err(Event::Failed(Unmeasured::new(UnmeasuredKind::ScriptCannot, why)));
        }
        let started = Instant::now();
        let Setup { cluster, inference, workers, .. } = self.setup;
        tokio::try_join!(
            scale(cluster, inference, self.scenario.replicas),
            scale(cluster, workers, self.scenario.workers),
        )?;
        self.record_timing("scale", started.elapsed());
        Ok(())
    }

    pub(super) async fn await_ready(&mut self) -> Result<(), Event> {
        let started = Instant::now();
        let replicas = async { (self.await_replicas().await, started.elapsed()) };
        let workers = async { (self.await_workers().await, started.elapsed()) };
        let ((replicas, replicas_took), (workers, workers_took)) = tokio::join!(replicas, workers);
        replicas?;
        let listed = workers?;
        (self.at_start.listed, self.at_start.resets) = (listed.worker_ids(), listed.counts.resets);
        let Setup { cluster, inference, workers, reach, config, .. } = self.setup;
        self.at_start.workers = pods_of(cluster, workers).await?;
        self.at_start.replicas = pods_of(cluster, inference).await?;
        self.setup.seen.note_images(&self.at_start.replicas)?;
        let routing_started = Instant::now();
        self.await_routable().await?;
        self.record_timing("route", routing_started.elapsed());
        self.at_start.counts = counts::read(reach, &self.at_start.replicas, &config.inference).await;
        self.record_timing("replicas", replicas_took);
        self.record_timing("workers", workers_took);
        let Scenario { replicas, workers, .. } = *self.scenario;
        let words = format!("{} and {} ready", many(replicas, "replica"), many(workers, "worker"));
        self.end_phase("ready", started, words);
        Ok(())
    }

    /// Waits for the replicas. If somebody else changes their number, it is set again, a few times.
    async fn await_replicas(&self) -> Result<(), Event> {
        let Setup { cluster, inference, config, events, seen, .. } = self.setup;
        let wanted = self.scenario.replicas;
        let patience = Patience {
            ready: config.timeouts.ready.get(),
            place: config.timeouts.place.get(),
            had_load: true,
        };
        let tell = events.waiting(&inference.name);
        let mut set_again = 0;
        let unready = loop {
            match await_ready(cluster, inference, wanted, patience, Some(&seen.overdue), &tell).await {
                Ok(()) => return Ok(()),
                Err(Unready::Rescaled { .. }) if set_again < SET_AGAIN => {
                    set_again += 1;
                    scale(cluster, inference, wanted).await?;
                }
                Err(unready) => break unready,
            }
        };
        let mut problem = unready.describe(&inference.name);
        let kind = match unready {
            Unready::Refused(error) => return Err(Event::Abandoned(error)),
            Unready::Unplaced(_) => UnmeasuredKind::NoPlace,
            Unready::Away(_) => UnmeasuredKind::Disturbed,
            Unready::Rescaled { .. } => {
                problem = format!(
                    "{problem}, however often they are set to {wanted}; suspend what does it (an autoscaler, a GitOps \
                     controller, a person)"
                );
                UnmeasuredKind::NotReady
            }
            Unready::TimedOut(_) => {
                problem = format!("{problem} (timeouts.ready: {})", config.timeouts.ready);
                UnmeasuredKind::NotReady
            }
            Unready::Broken(_) | Unready::AsBefore(_) => UnmeasuredKind::NotReady,
        };
        Err(Event::Failed(Unmeasured::new(kind, problem)))
    }

    async fn await_routable(&self) -> Result<(), Event> {
        let Setup { reach, config, events, seen, .. } = self.setup;
        let tell = events.waiting(&config.inference.url);
        // What has not come up in all of the time will hardly do so now: the address, a policy or the service is
        // wrong. A short look is enough to see that it still is.
        let limit = config.timeouts.ready.get();
        let limit = if seen.unroutable().is_some() { limit.min(LOOKS_AGAIN) } else { limit };
        let replicas = &self.at_start.replicas;
        let routable = await_routable(reach, &config.inference, replicas, limit, &tell).await;
        let unseen = routable.map_err(|timed_out| {
            let problem = unreached(&config.inference, &timed_out);
            seen.note_unroutable(&problem);
            Event::Failed(Unmeasured::new(UnmeasuredKind::Unreachable, problem))
        })?;
        if let Some(unseen) = unseen {
            events.note_once("routing", unseen);
        }
        Ok(())
    }

    /// Waits for the workers' Deployment, then until the load generator lists exactly these workers. It may
    /// miss workers that run, after a restart of its master or a stop that went wrong. Then their pods are
    /// replaced, and if that does not help, those of the whole load generator.
    async fn await_workers(&self) -> Result<Snapshot, Event> {
        let Setup { load, config, events, .. } = self.setup;
        let limit = config.timeouts.workers.get();
        self.await_worker_pods(limit).await?;
        let timed_out = match self.await_listed(limit.min(LISTED_WITHIN)).await {
            Ok(snapshot) => return Ok(snapshot),
            Err(timed_out) => timed_out,
        };
        let (generator, wanted) = (load.name().to_owned(), self.scenario.workers);
        events.tell(Progress::WorkersRestarted { generator, wanted });
        // The next tries take minutes. A user who recognizes the cause can stop the run now.
        if let Some(advice) = self.not_listed(&timed_out).next {
            events.tell(Progress::note(advice));
        }
        delete_pods_of(&self.setup.cluster, &self.setup.workers).await?;
        self.await_worker_pods(limit).await?;
        let timed_out = match self.await_listed(limit.min(LISTED_WITHIN)).await {
            Ok(snapshot) => return Ok(snapshot),
            Err(timed_out) => timed_out,
        };
        // A worker of somebody else would come back to the next master, too.
        let listed = load.snapshot(DEADMAN).await.map_or(0, |snapshot| snapshot.present().count());
        if listed > self.scenario.workers as usize {
            return Err(Event::Abandoned(self.not_listed(&timed_out)));
        }
        restart(
            &self.setup.cluster,
            load,
            config.timeouts.master.get(),
            &self.not_listed(&timed_out),
            events,
        )
        .await?;
        self.await_worker_pods(limit).await?;
        self.await_listed(limit).await.map_err(|timed_out| Event::Abandoned(self.not_listed(&timed_out)))
    }

    fn not_listed(&self, timed_out: &TimedOut) -> Error {
        self.setup.load.explain(&Unreached::IdleWorkers(self.scenario.workers), timed_out)
    }

    async fn await_worker_pods(&self, limit: Duration) -> Result<(), Event> {
        let Setup { cluster, workers, events, config, .. } = self.setup;
        let tell = events.waiting(&workers.name);
        let patience = Patience { ready: limit, place: config.timeouts.place.get(), had_load: false };
        await_ready(cluster, workers, self.scenario.workers, patience, None, &tell).await.map_err(|unready| {
            let problem = unready.describe(&workers.name);
            match unready {
                Unready::Unplaced(_) => Event::Failed(Unmeasured::new(UnmeasuredKind::NoPlace, problem)),
                Unready::Refused(error) => Event::Abandoned(error),
                // Perhaps the node is away for a moment.
                Unready::Away(_) | Unready::Rescaled { .. } | Unready::TimedOut(_) => {
                    Event::disturbed(problem)
                }
                Unready::Broken(_) | Unready::AsBefore(_) => {
                    let next = format!("look at them with: kubectl describe pods -l {}", workers.selector);
                    Event::Abandoned(Error::cluster(problem).next(next))
                }
            }
        })
    }

    /// Waits until exactly the scenario's workers are listed, idle, and answer a cut. The list alone is not
    /// enough: a worker that has died stays on it until enough of its heartbeats are missing.
    async fn await_listed(&self, limit: Duration) -> Result<Snapshot, TimedOut> {
        let (load, workers) = (&self.setup.load, self.scenario.workers);
        let subject = format!("{} to list {}", load.name(), many(workers, "idle worker"));
        poll(limit, POLL_EVERY, &self.setup.events.waiting(&subject), || async {
            let listed = match load.snapshot(DEADMAN).await {
                Ok(snapshot) if snapshot.is_idle(workers) => load.cut(DEADMAN).await,
                Ok(snapshot) => return Condition::NotMet(snapshot.describe()),
                Err(error) => Err(error),
            };
            match listed {
                Ok(snapshot) if snapshot.is_idle(workers) && snapshot.is_complete_cut() => {
                    Condition::Met(snapshot)
                }
                Ok(snapshot) if snapshot.is_idle(workers) => Condition::NotMet(format!(
                    "a worker does not hand over its counts; {}",
                    snapshot.describe()
                )),
                Ok(snapshot) => Condition::NotMet(snapshot.describe()),
                Err(error) => Condition::NotMet(error.message),
            }
        })
        .await
    }
}
