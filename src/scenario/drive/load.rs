//! Starts the load, and stops it.

use std::time::Duration;

use records::{Member, Membership, Replica, Scenario, Unmeasured, UnmeasuredKind};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep_until, timeout};

use super::{ANSWERS_WITHIN, Drive, SAMPLE_EVERY};
use crate::cluster::{PodSummary, pods_of, rescaled};
use crate::events::{Progress, many};
use crate::exit::Error;
use crate::load::{Load, LoadGenerator, Snapshot, Unreached};
use crate::scenario::callers;
use crate::scenario::counts::{self, Page, PodCounts};
use crate::scenario::machine::Event;
use crate::scenario::setup::{DEADMAN, Setup};
use crate::wait::{Telling, TimedOut};

/// If load still runs this long after a stop, it is stopped again.
const STOP_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// If the test script has ended the load, its users may never end: a worker that is told to quit by one of its users
/// stops half-way. They are not waited for any longer than this.
const ENDED_BY_SCRIPT: Duration = Duration::from_secs(15);

/// Why there is no cut.
pub(super) enum NoCut {
    /// The load generator does not answer.
    Silent(Error),
    /// It has answered after this long: it stood still.
    Late(Duration),
    /// It answers, but a worker has not handed over its counts in time. This is its last answer, in words.
    Incomplete(String),
    /// The test script has sent the workers home, or users have left by themselves.
    Script(String),
}

impl NoCut {
    fn in_words(self) -> String {
        match self {
            Self::Silent(error) => error.message,
            Self::Late(silence) => format!("it came after {:.0} s", silence.as_secs_f64()),
            Self::Script(why) => why,
            Self::Incomplete(last_seen) => format!("not every worker handed over its counts; {last_seen}"),
        }
    }
}

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
        // Users that wait for a worker that is gone would be waited for in vain.
        let is_over = |snapshot: &Snapshot| {
            snapshot.is_running(users, workers)
                || snapshot.worker_ids() != self.at_start.listed
                || snapshot.ended_by_itself().is_some()
        };
        let snapshot = self.await_snapshot("all users", limit, is_over).await.map_err(|timed_out| {
            let (users, workers) = (many(users, "user"), many(workers, "worker"));
            Event::broken(format!("{users} do not run on {workers} {timed_out}"))
        })?;
        if !snapshot.is_running(users, workers) {
            return Err(not_running(&snapshot));
        }
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

    /// A complete cut. It is tried twice, because a worker may be too busy for the first.
    pub(super) async fn cut(&self) -> Result<Snapshot, NoCut> {
        let (mut why, mut asked) = (None, Instant::now());
        for _ in 0..2 {
            match self.setup.load.cut(DEADMAN).await {
                Ok(_) if asked.elapsed() > ANSWERS_WITHIN => return Err(NoCut::Late(asked.elapsed())),
                Ok(snapshot) if snapshot.is_complete_cut() => return Ok(snapshot),
                Ok(snapshot) => {
                    if let Some(why) = snapshot.ended_by_itself() {
                        return Err(NoCut::Script(why));
                    }
                    (why, asked) = (Some(NoCut::Incomplete(snapshot.describe())), Instant::now());
                }
                // An answer tells more than a silence before or after it.
                Err(error) => why = why.or(Some(NoCut::Silent(error))),
            }
        }
        Err(why.unwrap_or_else(|| NoCut::Silent(Error::cluster("no cut was tried"))))
    }

    /// The load generator, or its node, stood still while load ran.
    pub(super) fn stood_still(&self, silence: Duration) -> Event {
        Event::disturbed(format!(
            "{} did not answer for {:.0} s",
            self.setup.load.name(),
            silence.as_secs_f64()
        ))
    }

    /// What becomes of the scenario without a cut that it needs.
    pub(super) fn without_cut(&self, why: NoCut, since: Instant) -> Event {
        match why {
            NoCut::Silent(error) => error.into(),
            NoCut::Late(silence) => self.stood_still(silence),
            NoCut::Script(why) => Event::by_script(why),
            NoCut::Incomplete(last_seen) => {
                let timed_out = TimedOut { after: since.elapsed(), last_seen };
                let late = self.setup.load.explain(&Unreached::Counts, &timed_out).message;
                Event::Failed(Unmeasured::new(UnmeasuredKind::GeneratorLate, late))
            }
        }
    }

    /// Stops the load and gathers what the record needs from the time after it.
    pub(super) async fn drain(&mut self) -> Result<(), Event> {
        let started = Instant::now();
        self.stopped = Some(started);
        self.stop_load().await?;
        match self.cut().await {
            Ok(last) => {
                let whole = last.whole();
                let window = self.gathered.window.as_ref().map_or(0, |window| window.aggregated.requests);
                // Also before the window or after it, where it does not disturb the row.
                if last.counts.resets > self.at_start.resets || whole.aggregated.requests < window {
                    let error = "the counts were set to zero while the load ran".to_owned();
                    self.setup.events.tell(Progress::WholeRunMissing { error });
                } else {
                    self.gathered.whole_run = Some(whole);
                }
                self.gather_failures(&last);
            }
            // The load has stopped, so even a pause does no harm.
            Err(why) => {
                self.setup.events.tell(Progress::WholeRunMissing { error: why.in_words() });
                // What failed until then is known even so.
                if let Ok(last) = self.setup.load.snapshot(DEADMAN).await {
                    self.gather_failures(&last);
                }
            }
        }
        // The load is over: what somebody starts by hand after the run is not to be ended by its switch.
        let _ = self.setup.load.snapshot(Duration::ZERO).await;
        let Setup { cluster, inference, workers, reach, config, .. } = self.setup;
        let (replicas, workers) = tokio::try_join!(pods_of(cluster, inference), pods_of(cluster, workers))?;
        // A pod that has not answered before the load does not answer now.
        let answered =
            |pod: &&PodSummary| self.at_start.counts.get(&pod.name).is_some_and(|page| *page != Page::Silent);
        let asked: Vec<_> = replicas.iter().filter(answered).cloned().collect();
        let pages = counts::read(reach, &asked, &config.inference).await;
        self.gathered.membership = Some(Membership {
            replicas_before: members(&self.at_start.replicas),
            replicas_after: members(&replicas),
            workers_before: members(&self.at_start.workers),
            workers_after: members(&workers),
        });
        if replicas.len() != self.scenario.replicas as usize
            && let Some(rescaled) = rescaled(cluster, inference, self.scenario.replicas).await
        {
            self.gathered.disturbed.get_or_insert(rescaled.describe(&inference.name));
        }
        self.gathered.replicas = self.own_counts(&replicas, &pages);
        let under_way = &self.gathered.under_way;
        for replica in &mut self.gathered.replicas {
            replica.under_way = under_way.mean(&replica.pod);
            replica.readings = replica.under_way.map_or(0, |_| under_way.readings);
        }
        self.end_phase("drain", started, "load stopped, all samples in");
        Ok(())
    }

    /// Gathers what failed, and what the stop has cut off.
    fn gather_failures(&mut self, last: &Snapshot) {
        let errors = last.errors.iter();
        let errors = errors.map(|e| (format!("{} {}: {}", e.method, e.name, e.error), e.occurrences));
        self.gathered.errors = errors.collect();
        let exceptions = last.exceptions.iter();
        self.gathered.exceptions = exceptions.map(|e| (e.message.clone(), e.count)).collect();
        self.gathered.cut_off = last.cut_off;
    }

    /// The load's requests as the replicas have counted them since the start of the load. If they are not known, the
    /// user is told why, once.
    fn own_counts(&self, replicas: &[PodSummary], pages: &PodCounts) -> Vec<Replica> {
        let Setup { load, config, events, .. } = self.setup;
        let difference = |pod: &PodSummary| {
            (pod.name.clone(), counts::difference(self.at_start.counts.get(&pod.name), pages.get(&pod.name)))
        };
        let counted: Vec<_> = replicas.iter().map(difference).collect();
        let known = callers::Load {
            caller: load.caller(),
            users: self.scenario.users,
            whole_run: self.gathered.whole_run.as_ref(),
        };
        let (replicas, why) = callers::of_load(&counted, &known, &config.inference);
        let pages = if pages.is_empty() { &self.at_start.counts } else { pages };
        let nothing_known = counted.iter().all(|(_, counts)| counts.is_none());
        let why = if nothing_known { counts::why_unknown(pages, &config.inference) } else { why };
        if let Some(why) = why {
            events.note_once("own counts", format!("own counts: {why}"));
        }
        replicas
    }

    /// Whether the load has stopped, as far as the scenario needs it. If the test script has ended it, the workers
    /// may have gone.
    fn has_stopped(&self, snapshot: &Snapshot) -> bool {
        let need_not_be_listed = self.went_wrong || snapshot.ended_by_script.is_some();
        snapshot.is_idle(self.scenario.workers) || need_not_be_listed && snapshot.has_no_load()
    }

    async fn was_ended_by_script(&self) -> bool {
        let snapshot = self.setup.load.snapshot(DEADMAN).await;
        snapshot.is_ok_and(|snapshot| snapshot.ended_by_script.is_some())
    }

    /// Stops the load. Waits until the load generator has answered and every worker is idle: if the next load
    /// started before the answer, the load generator could stop that one.
    async fn stop_load(&self) -> Result<(), Event> {
        let started = Instant::now();
        let load = &self.setup.load;
        let still_running = |last_seen: String| {
            let timed_out = TimedOut { after: started.elapsed(), last_seen };
            load.explain(&Unreached::Stopped, &timed_out).into()
        };
        let deadline = started + self.setup.config.timeouts.stop.get();
        let mut last_seen = "nothing".to_owned();
        let mut last_answer = Instant::now();
        let mut user_knows = false;
        let tell = self.setup.events.waiting("the load to stop");
        let mut telling = Telling::new(&tell);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // After this long without an answer, the load has stopped by itself, and waiting is of no use.
            if left.is_zero() || last_answer.elapsed() > DEADMAN {
                return Err(still_running(last_seen));
            }
            // Another driver may run its own load by now.
            if let Some(lease) = &self.setup.lease
                && !lease.may_still_act().await
            {
                let seconds = DEADMAN.as_secs();
                let why = lease.lost_because().unwrap_or_default();
                return Err(Event::disturbed(format!("{why}; the load stops by itself within {seconds} s")));
            }
            match timeout(left, load.stop()).await {
                Ok(Ok(())) => {
                    last_answer = Instant::now();
                    // A stop that arrives before the start has taken effect stops nothing. So it is repeated
                    // until the workers are idle.
                    let limit = left.min(STOP_AGAIN_AFTER);
                    match self
                        .await_snapshot("the load to stop", limit, |snapshot| self.has_stopped(snapshot))
                        .await
                    {
                        Ok(_) => return Ok(()),
                        Err(timed_out) => last_seen = timed_out.last_seen,
                    }
                    if started.elapsed() > ENDED_BY_SCRIPT && self.was_ended_by_script().await {
                        return Err(still_running(last_seen));
                    }
                    telling.tell_if_due(&last_seen);
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

/// The load is not the one that was started. Unless the test script has done it, something from outside has.
pub(super) fn not_running(snapshot: &Snapshot) -> Event {
    if let Some(why) = snapshot.ended_by_itself() {
        return Event::by_script(why);
    }
    Event::disturbed(format!("the load was disturbed: {}", snapshot.describe()))
}

fn members(pods: &[PodSummary]) -> Vec<Member> {
    let member =
        |pod: &PodSummary| Member { name: pod.name.clone(), id: pod.uid.clone(), restarts: pod.restarts };
    pods.iter().map(member).collect()
}
