//! The load itself: started and stopped.

use std::time::Duration;

use records::{Member, Membership, Scenario, Unmeasured, UnmeasuredKind};
use tokio::time::{Instant, sleep_until, timeout};

use super::Drive;
use crate::cluster::{PodSummary, pods_of};
use crate::events::Progress;
use crate::exit::{Error, Result};
use crate::load::{Load, LoadGenerator, Snapshot};
use crate::scenario::counts::{self, LOAD};
use crate::scenario::machine::Event;
use crate::scenario::setup::{DEADMAN, Setup};
use crate::wait::TimedOut;

/// How often Locust is looked at while the window is open.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Load that is still there so long after a stop is stopped again.
const STOP_AGAIN: Duration = Duration::from_secs(2);

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn warm_up(&mut self) -> Result<(), Event> {
        let begun = Instant::now();
        let (load, config) = (&self.setup.load, &self.setup.config);
        let Scenario { users, workers, rate, .. } = *self.scenario;
        let spawn_rate = config.spawn_rate_for(users);
        let offered = match rate {
            Some(rate) => Load::Open { rate, users },
            None => Load::Closed { users, spawn_rate },
        };
        load.start(offered, &config.inference.url).await?;
        let limit = Duration::from_secs_f64(f64::from(users) / spawn_rate) + config.timeouts.ramp.get();
        let ramped = self.look_until(limit, |snapshot| snapshot.is_running(users, workers)).await;
        ramped.map_err(|timed_out| {
            failed(format!("{users} users do not run on {workers} workers {timed_out}"))
        })?;
        self.took("ramp", begun, format!("{users} users run"));
        if !config.warmup.is_zero() {
            let warming = Instant::now();
            let until = warming + config.warmup.get();
            while Instant::now() < until {
                sleep_until(until.min(Instant::now() + SAMPLE_EVERY)).await;
                // Keeps the dead-man away; the figures of the warm-up are nobody's.
                let _ = load.snapshot(DEADMAN).await;
            }
            self.took("warmup", warming, "warmed up");
        }
        Ok(())
    }

    /// An exact cut; a second try where a worker was too busy for the first.
    pub(super) async fn cut(&self) -> Result<Snapshot> {
        match self.setup.load.cut(DEADMAN).await {
            Ok(snapshot) => Ok(snapshot),
            Err(_) => self.setup.load.cut(DEADMAN).await,
        }
    }

    pub(super) async fn drain(&mut self) -> Result<(), Event> {
        let begun = Instant::now();
        self.stopped = Some(begun);
        self.stop().await?;
        match self.cut().await {
            Ok(last) => {
                self.gathered.whole = Some(last.whole());
                let errors = last.errors.iter();
                let words = errors.map(|e| (format!("{} {}: {}", e.method, e.name, e.error), e.occurrences));
                self.gathered.errors = words.collect();
                let raised = last.exceptions.iter().map(|raised| (raised.message.clone(), raised.count));
                self.gathered.exceptions = raised.collect();
            }
            Err(error) => self.setup.events.tell(Progress::WholeRunMissing { error: error.to_string() }),
        }
        let Setup { cluster, inference, workers, reach, config, .. } = self.setup;
        let (pods, workers) = tokio::try_join!(pods_of(cluster, inference), pods_of(cluster, workers))?;
        let after = counts::ask(reach, &pods, &config.inference.metrics, LOAD).await;
        self.gathered.membership = Some(Membership {
            replicas_before: members(&self.before.pods),
            replicas_after: members(&pods),
            workers_before: members(&self.before.workers),
            workers_after: members(&workers),
        });
        self.gathered.replicas = counts::between(&self.before.counts, after);
        self.took("drain", begun, "load stopped, all samples in");
        Ok(())
    }

    /// Stops the load and waits for both ends of it: every worker idle, and the master's own stop
    /// over. A test that began before the latter could be taken for the one that is being stopped.
    async fn stop(&self) -> Result<(), Event> {
        let begun = Instant::now();
        let stuck = |last_seen: String| {
            let timed_out = TimedOut { after: begun.elapsed(), last_seen };
            let error = Error::cluster(format!("the load does not stop {timed_out}"));
            let next = "restart Locust: kubectl rollout restart deployment locust-master locust-worker";
            Event::Abandoned(error.next(next))
        };
        let deadline = begun + self.setup.config.timeouts.stop.get();
        let mut last_seen = "nothing".to_owned();
        let mut heard = Instant::now();
        let mut told = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Load that nobody has looked at for this long has stopped by itself.
            if left.is_zero() || heard.elapsed() > DEADMAN {
                return Err(stuck(last_seen));
            }
            match timeout(left, self.setup.load.stop()).await {
                // A stop that overtakes the start that it is to undo stops nothing: it is asked for again
                // for as long as there is load.
                Ok(Ok(())) => {
                    heard = Instant::now();
                    let idle =
                        self.look_until(left.min(STOP_AGAIN), |seen| seen.is_idle(self.scenario.workers));
                    match idle.await {
                        Ok(_) => return Ok(()),
                        Err(timed_out) => last_seen = timed_out.last_seen,
                    }
                }
                Ok(Err(error)) => {
                    if !told {
                        let error = error.message.clone();
                        self.setup.events.tell(Progress::LoadStopUnanswered { error });
                        told = true;
                    }
                    last_seen = error.message;
                    sleep_until(Instant::now() + SAMPLE_EVERY).await;
                }
                Err(_) => last_seen = "Locust's master still waits for its users".into(),
            }
        }
    }
}

fn members(pods: &[PodSummary]) -> Vec<Member> {
    let member =
        |pod: &PodSummary| Member { name: pod.name.clone(), id: pod.uid.clone(), restarts: pod.restarts };
    pods.iter().map(member).collect()
}

pub(super) fn failed(reason: String) -> Event {
    Event::Failed(Unmeasured::new(UnmeasuredKind::Broken, reason))
}
