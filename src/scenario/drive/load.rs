//! Starts the load, and stops it.

use std::time::Duration;

use records::{Member, Membership, Scenario};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Drive, SAMPLE_EVERY};
use crate::cluster::{PodSummary, pods_of};
use crate::events::Progress;
use crate::exit::Result;
use crate::load::{Load, LoadGenerator, Snapshot, Unreached};
use crate::scenario::counts;
use crate::scenario::machine::Event;
use crate::scenario::setup::{DEADMAN, Setup};
use crate::wait::TimedOut;

/// If load still runs this long after a stop, it is stopped again.
const STOP_AGAIN_AFTER: Duration = Duration::from_secs(2);

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn warm_up(&mut self) -> Result<(), Event> {
        let started = Instant::now();
        let (load, config) = (&self.setup.load, &self.setup.config);
        let Scenario { users, workers, rate, .. } = *self.scenario;
        let spawn_rate = config.spawn_rate_for(users);
        let offered = match rate {
            Some(rate) => Load::Open { rate, users, seed: self.arrival_seed() },
            None => Load::Closed { users, spawn_rate },
        };
        load.start(offered, &config.inference.url).await?;
        let limit = Duration::from_secs_f64(f64::from(users) / spawn_rate) + config.timeouts.ramp.get();
        let running = self.await_snapshot(limit, |snapshot| snapshot.is_running(users, workers)).await;
        running.map_err(|timed_out| {
            Event::broken(format!("{users} users do not run on {workers} workers {timed_out}"))
        })?;
        self.end_phase("ramp", started, format!("{users} users run"));
        if !config.warmup.is_zero() {
            let started = Instant::now();
            let until = started + config.warmup.get();
            while Instant::now() < until {
                sleep_until(until.min(Instant::now() + SAMPLE_EVERY)).await;
                // Only for the dead-man switch: the figures of the warm-up are not used.
                let _ = load.snapshot(DEADMAN).await;
            }
            self.end_phase("warmup", started, "warmed up");
        }
        Ok(())
    }

    /// The seed of the arrivals. Each repeat and each attempt has another one, because repeats of one sequence
    /// of arrivals would not show how much chance there is in the arrivals. Another run of the same
    /// configuration has the same seeds, so that chance differs less between the two.
    fn arrival_seed(&self) -> u64 {
        let text = format!("{} {} {}", self.setup.config.seed, self.scenario.id, self.attempt);
        let digest = Sha256::digest(text);
        digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    /// A cut. It is tried twice, because a worker may be too busy for the first.
    pub(super) async fn cut(&self) -> Result<Snapshot> {
        match self.setup.load.cut(DEADMAN).await {
            Ok(snapshot) => Ok(snapshot),
            Err(_) => self.setup.load.cut(DEADMAN).await,
        }
    }

    /// Stops the load and gathers what the record needs from the time after it.
    pub(super) async fn drain(&mut self) -> Result<(), Event> {
        let started = Instant::now();
        self.stopped = Some(started);
        self.stop_load().await?;
        match self.cut().await {
            Ok(last) => {
                self.gathered.whole_run = Some(last.whole());
                let errors = last.errors.iter();
                let errors = errors.map(|e| (format!("{} {}: {}", e.method, e.name, e.error), e.occurrences));
                self.gathered.errors = errors.collect();
                let exceptions = last.exceptions.iter();
                self.gathered.exceptions = exceptions.map(|e| (e.message.clone(), e.count)).collect();
            }
            Err(error) => self.setup.events.tell(Progress::WholeRunMissing { error: error.to_string() }),
        }
        let Setup { cluster, load, inference, workers, reach, config, .. } = self.setup;
        let (replicas, workers) = tokio::try_join!(pods_of(cluster, inference), pods_of(cluster, workers))?;
        // A pod that had no counter before the load has none now.
        let had_counts = |pod: &&PodSummary| self.at_start.counts.get(&pod.name).is_some_and(Option::is_some);
        let asked: Vec<_> = replicas.iter().filter(had_counts).cloned().collect();
        let counts = counts::read(reach, &asked, &config.inference.metrics, load.caller()).await;
        self.gathered.membership = Some(Membership {
            replicas_before: members(&self.at_start.replicas),
            replicas_after: members(&replicas),
            workers_before: members(&self.at_start.workers),
            workers_after: members(&workers),
        });
        self.gathered.replicas = counts::difference(&replicas, &self.at_start.counts, &counts);
        let under_way = &self.gathered.under_way;
        for replica in &mut self.gathered.replicas {
            replica.under_way = under_way.mean(&replica.pod);
            replica.readings = replica.under_way.map_or(0, |_| under_way.readings);
        }
        self.end_phase("drain", started, "load stopped, all samples in");
        Ok(())
    }

    /// Stops the load. Waits until the load generator has answered and every worker is idle: if the next load
    /// started before the answer, the load generator could stop that one.
    async fn stop_load(&self) -> Result<(), Event> {
        let started = Instant::now();
        let load = &self.setup.load;
        let still_running = |last_seen: String| {
            let timed_out = TimedOut { after: started.elapsed(), last_seen };
            Event::Abandoned(load.explain(&Unreached::Stopped, &timed_out))
        };
        let deadline = started + self.setup.config.timeouts.stop.get();
        let mut last_seen = "nothing".to_owned();
        let mut last_answer = Instant::now();
        let mut user_knows = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // After this long without an answer, the load has stopped by itself, and waiting is of no use.
            if left.is_zero() || last_answer.elapsed() > DEADMAN {
                return Err(still_running(last_seen));
            }
            match timeout(left, load.stop()).await {
                Ok(Ok(())) => {
                    last_answer = Instant::now();
                    // A stop that arrives before the start has taken effect stops nothing. So it is repeated
                    // until the workers are idle.
                    let workers = self.scenario.workers;
                    let limit = left.min(STOP_AGAIN_AFTER);
                    match self.await_snapshot(limit, |snapshot| snapshot.is_idle(workers)).await {
                        Ok(_) => return Ok(()),
                        Err(timed_out) => last_seen = timed_out.last_seen,
                    }
                }
                Ok(Err(error)) => {
                    if !user_knows {
                        self.setup.events.tell(Progress::LoadStopUnanswered {
                            generator: load.name().to_owned(),
                            stops_after_s: DEADMAN.as_secs(),
                            error: error.message.clone(),
                        });
                        user_knows = true;
                    }
                    last_seen = error.message;
                    sleep_until(Instant::now() + SAMPLE_EVERY).await;
                }
                Err(_) => last_seen = format!("{} still waits for its users to end", load.name()),
            }
        }
    }
}

fn members(pods: &[PodSummary]) -> Vec<Member> {
    let member =
        |pod: &PodSummary| Member { name: pod.name.clone(), id: pod.uid.clone(), restarts: pod.restarts };
    pods.iter().map(member).collect()
}
