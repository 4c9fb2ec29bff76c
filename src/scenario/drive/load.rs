//! The load itself: started, measured, stopped.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::{DEADMAN, Drive};
use crate::cluster::pods_of;
use crate::events::Event;
use crate::exit::{Error, Result};
use crate::load::{Load, LoadGenerator, Snapshot};
use crate::plan::Scenario;
use crate::record::{Judgement, Verdict};
use crate::scenario::Happening;
use crate::scenario::counts::{self, LOAD};
use crate::scenario::sampler::Sampler;

/// How often Locust is looked at while the window is open.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Samples per live line.
const SAMPLES_PER_LINE: usize = 2;
/// Load that is still there so long after a stop is stopped again.
const STOP_AGAIN: Duration = Duration::from_secs(2);
/// A master that does not answer for this long while measuring is given up.
const SILENCE: Duration = Duration::from_secs(10);

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn warm_up(&mut self) -> Result<(), Happening> {
        let begun = Instant::now();
        let (load, config) = (&self.setup.load, &self.setup.config);
        let Scenario { users, workers, .. } = *self.scenario;
        let rate = config.spawn_rate_for(users);
        load.start(Load::Closed { users, spawn_rate: rate }, &config.inference.url).await?;
        let limit = Duration::from_secs_f64(f64::from(users) / rate) + config.timeouts.ramp.get();
        let ramped = self.look_until(limit, |snapshot| snapshot.is_running(users, workers)).await;
        ramped.map_err(|timed_out| failed(format!("{users} users on {workers} workers: {timed_out}")))?;
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

    pub(super) async fn measure(&mut self) -> Result<(), Happening> {
        let length = self.setup.config.duration.get();
        let cutting = Instant::now();
        let opening = self.cut().await.map_err(|error| failed(error.message))?;
        let opened = Instant::now();
        self.note("open", opened - cutting);
        let mut sampler = Sampler::open(opening);
        self.watch(&mut sampler, opened, length).await?;
        let closing_begun = Instant::now();
        self.note("window", closing_begun - opened);
        let closing = self.cut().await.map_err(|error| failed(error.message))?;
        self.note("close", closing_begun.elapsed());
        let (window, samples, health, live) = sampler.close(&closing, length.as_secs_f64());
        self.setup.events.tell(live);
        self.gathered.window = Some(window);
        self.gathered.samples = samples;
        self.gathered.health = health;
        self.gathered.workers = closing.workers;
        Ok(())
    }

    /// Samples until the window's time is over.
    async fn watch(
        &mut self,
        sampler: &mut Sampler,
        opened: Instant,
        length: Duration,
    ) -> Result<(), Happening> {
        let Scenario { users, workers, .. } = *self.scenario;
        let mut heard = opened;
        let mut next = opened + SAMPLE_EVERY;
        let mut samples = 0;
        while next < opened + length {
            sleep_until(next).await;
            // A look that took long is not made up for: samples would pile up on a busy master.
            next = (next + SAMPLE_EVERY).max(Instant::now());
            match self.setup.load.snapshot(DEADMAN).await {
                Ok(snapshot) => {
                    heard = Instant::now();
                    if self.gathered.disturbed.is_none() && !snapshot.is_running(users, workers) {
                        self.gathered.disturbed =
                            Some(format!("the load was disturbed: {}", snapshot.describe()));
                    }
                    sampler.take(snapshot);
                    samples += 1;
                    if samples % SAMPLES_PER_LINE == 0 {
                        self.tell_live(sampler, length);
                    }
                }
                Err(error) if heard.elapsed() > SILENCE => return Err(error.into()),
                Err(_) => {}
            }
        }
        sleep_until(opened + length).await;
        Ok(())
    }

    fn tell_live(&self, sampler: &Sampler, length: Duration) {
        if let Some(live) = sampler.live(length.as_secs_f64()) {
            self.setup.events.tell(live);
        }
    }

    /// An exact cut; a second try where a worker was too busy for the first.
    async fn cut(&self) -> Result<Snapshot> {
        match self.setup.load.cut(DEADMAN).await {
            Ok(snapshot) => Ok(snapshot),
            Err(_) => self.setup.load.cut(DEADMAN).await,
        }
    }

    pub(super) async fn drain(&mut self) -> Result<(), Happening> {
        let begun = Instant::now();
        self.stopped = Some(begun);
        self.stop().await?;
        match self.cut().await {
            Ok(last) => {
                self.gathered.whole = Some(last.whole());
                let errors = last.errors.iter();
                let words = errors.map(|e| (format!("{} {}: {}", e.method, e.name, e.error), e.occurrences));
                self.gathered.errors = words.collect();
                self.gathered.exceptions = last.exceptions;
            }
            Err(error) => self.setup.events.tell(Event::note(format!("  {error}"))),
        }
        self.gathered.pods = pods_of(&self.setup.cluster, &self.setup.inference).await?;
        let place = &self.setup.config.inference.metrics;
        let after = counts::ask(&self.setup.reach, &self.gathered.pods, place, LOAD).await;
        self.gathered.replicas = counts::between(&self.before.counts, after);
        self.took("drain", begun, "load stopped, all samples in");
        Ok(())
    }

    /// Stops the load and waits for both ends of it: every worker idle, and the master's own stop
    /// over. A test that began before the latter could be taken for the one that is being stopped.
    async fn stop(&self) -> Result<(), Happening> {
        let stuck = |words: String| {
            let error = Error::cluster(format!("the load does not stop: {words}"));
            let next = "restart Locust: kubectl rollout restart deployment locust-master locust-worker";
            Happening::Abandoned(error.next(next))
        };
        let deadline = Instant::now() + self.setup.config.timeouts.stop.get();
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
                        let text = "  Locust does not answer; load that nobody looks at stops by itself within a minute";
                        self.setup.events.tell(Event::note(text));
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

fn failed(reason: String) -> Happening {
    Happening::Failed(Verdict::of(Judgement::Failed, reason))
}
