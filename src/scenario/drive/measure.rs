//! The measurement: interval after interval, from cut to cut, until the stopping rule ends it.

use std::ops::Range;
use std::time::Duration;

use records::{Arrivals, Interval, Scenario, StoppingRule};
use tokio::time::{Instant, sleep, sleep_until};

use super::load::{NoCut, not_running};
use super::signals::signals;
use super::{ANSWERS_WITHIN, Drive, SAMPLE_EVERY};
use crate::events::Progress;
use crate::load::{LoadGenerator, Snapshot};
use crate::measure::{Next, interval_s, next, window_from};
use crate::scenario::machine::Event;
use crate::scenario::sampler::Sampler;
use crate::scenario::setup::{DEADMAN, Setup};
use crate::scenario::under_way::UnderWay;

/// The live figures are shown once for this many samples.
const SAMPLES_PER_LIVE_LINE: usize = 2;
/// The requests under way must be read within this time, or within a quarter of the interval if that is shorter.
const MOST_READING: Duration = Duration::from_secs(2);

/// How far the load generator's clock may be off between two cuts. Clocks drift by less, and a step of this size
/// changes the throughput of an interval of 20 s by 1 %.
const MOST_CLOCK_ERROR_S: f64 = 0.2;

/// When snapshots are taken. Their rhythm continues from interval to interval.
struct SnapshotTimer {
    /// When the load generator last answered.
    last_answer: Instant,
    /// When the next snapshot is due.
    next_due: Instant,
}

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn measure(&mut self) -> Result<(), Event> {
        let rule = self.stopping_rule();
        let started = Instant::now();
        let mut cuts = vec![self.cut().await.map_err(|why| self.without_cut(why, started))?];
        let opened = Instant::now();
        let mut last_cut = started..opened;
        self.record_timing("open", opened - started);
        let mut sampler = Sampler::new(&cuts[0], rule.duration_s, self.setup.capabilities.live_counts);
        let mut under_way = UnderWay::of(&self.at_start.replicas, &self.at_start.counts);
        let interval = Duration::from_secs_f64(interval_s(&rule));
        let (mut intervals, mut cutting) = (Vec::new(), Duration::ZERO);
        let mut timer = SnapshotTimer { last_answer: opened, next_due: opened + SAMPLE_EVERY };
        loop {
            let until = Instant::now() + interval;
            let reading = read_between_cuts(self.setup, &mut under_way, interval);
            tokio::try_join!(self.sample_until(until, &mut sampler, &mut timer), reading)?;
            let cut_started = Instant::now();
            let cut = self.cut().await;
            cutting += cut_started.elapsed();
            match (cut, cuts.last()) {
                (Ok(cut), Some(last)) => {
                    timer.last_answer = Instant::now();
                    let this_cut = cut_started..timer.last_answer;
                    if let Some(why) = clock_jump(&last_cut, &this_cut, cut.at() - last.at()) {
                        return Err(Event::disturbed(why));
                    }
                    last_cut = this_cut;
                    intervals.push(between(last, &cut, &self.setup.config.inference.primary));
                    self.setup.events.tell(signals(&rule, &intervals, &cuts[0], &cut));
                    cuts.push(cut);
                }
                (Err(why @ NoCut::Script(_)), _) => return Err(self.without_cut(why, cut_started)),
                (Err(NoCut::Late(silence)), _) => return Err(self.stood_still(silence)),
                (Err(NoCut::Silent(error)), _) if timer.last_answer.elapsed() > ANSWERS_WITHIN => {
                    return Err(error.into());
                }
                // Without a cut, the interval goes on. But the last interval must end with a cut.
                (Err(why), _) if opened.elapsed().as_secs_f64() >= rule.duration_s => {
                    return Err(self.without_cut(why, cut_started));
                }
                (Err(NoCut::Incomplete(_)), _) => {
                    timer.last_answer = Instant::now();
                    continue;
                }
                _ => continue,
            }
            match next(&rule, &intervals) {
                Next::Measure => {}
                Next::Extend(why) => {
                    sampler.extend(interval_s(&rule));
                    self.setup.events.tell(Progress::MeasurementExtended { reason: why });
                }
                Next::Close => break,
            }
        }
        self.record_timing("window", opened.elapsed().saturating_sub(cutting));
        self.record_timing("close", cutting);
        self.gather_facts(&cuts);
        self.gathered.under_way = under_way;
        self.gather(sampler, &rule, &cuts, intervals);
        Ok(())
    }

    /// Gathers the result. The record's window is the steady part of the measurement.
    fn gather(&mut self, sampler: Sampler, rule: &StoppingRule, cuts: &[Snapshot], intervals: Vec<Interval>) {
        let from = window_from(rule, &intervals);
        let (Some(opening), Some(closing)) = (cuts.get(from), cuts.last()) else { return };
        let measurement = sampler.finish(opening, closing);
        self.setup.events.tell(measurement.live);
        self.gathered.open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
        self.gathered.window = Some(measurement.window);
        self.gathered.samples = measurement.samples;
        self.gathered.workers = measurement.workers;
        self.gathered.intervals = intervals;
    }

    /// Gathers what the load generator says about its own counts, over the whole measurement.
    fn gather_facts(&mut self, cuts: &[Snapshot]) {
        let (Some(first), Some(last)) = (cuts.first(), cuts.last()) else { return };
        self.gathered.impossible = last.counts.impossible.saturating_sub(first.counts.impossible);
        self.gathered.folded = last.counts.folded;
        self.gathered.resets = last.counts.resets.saturating_sub(first.counts.resets);
        // A reset is the cause that is known. Without one, a worker or another program lost counts.
        let fell = |pair: &[Snapshot]| pair[1].counts.total.requests < pair[0].counts.total.requests;
        if self.gathered.resets == 0
            && let Some(pair) = cuts.windows(2).find(|pair| fell(pair))
        {
            let [before, after] = [&pair[0], &pair[1]].map(|cut| cut.counts.total.requests);
            let why = format!("the load generator's counts fell back from {before} to {after} requests");
            self.gathered.disturbed.get_or_insert(why);
        }
    }

    /// Takes samples until the end of an interval.
    async fn sample_until(
        &mut self,
        until: Instant,
        sampler: &mut Sampler,
        timer: &mut SnapshotTimer,
    ) -> Result<(), Event> {
        let Scenario { users, workers, .. } = *self.scenario;
        while timer.next_due < until {
            sleep_until(timer.next_due).await;
            // After a slow snapshot, none is made up for: they would burden a load generator that is busy.
            timer.next_due = (timer.next_due + SAMPLE_EVERY).max(Instant::now());
            match self.setup.load.snapshot(DEADMAN).await {
                Ok(snapshot) => {
                    let silence = timer.last_answer.elapsed();
                    timer.last_answer = Instant::now();
                    if silence > ANSWERS_WITHIN {
                        return Err(self.stood_still(silence));
                    }
                    // The rest of the window could not make the row valid any more.
                    if !snapshot.is_running(users, workers) {
                        return Err(not_running(&snapshot));
                    }
                    if let Some(why) = sampler.only_failures(&snapshot, &self.setup.config.inference.primary)
                    {
                        return Err(Event::every_request_failed(why));
                    }
                    if sampler.add(snapshot).is_multiple_of(SAMPLES_PER_LIVE_LINE)
                        && let Some(live) = sampler.live()
                    {
                        self.setup.events.tell(live);
                    }
                }
                Err(error) if timer.last_answer.elapsed() > ANSWERS_WITHIN => return Err(error.into()),
                Err(_) => {}
            }
        }
        sleep_until(until).await;
        Ok(())
    }
}

/// Reads the requests under way in the middle of an interval. The reading ends well before the cut, which it would
/// otherwise disturb.
async fn read_between_cuts<L: LoadGenerator>(
    setup: &Setup<L>,
    under_way: &mut UnderWay,
    interval: Duration,
) -> Result<(), Event> {
    sleep(interval / 2).await;
    let limit = MOST_READING.min(interval / 4);
    let inference = &setup.config.inference;
    under_way.read(&setup.reach, &inference.metrics, &inference.counter, limit).await;
    Ok(())
}

/// Says so if the load generator's clock cannot be right: it counted `counted_s` seconds between two cuts, each of
/// which was made at some moment between its call and its answer.
fn clock_jump(first: &Range<Instant>, second: &Range<Instant>, counted_s: f64) -> Option<String> {
    let least = second.start.saturating_duration_since(first.end).as_secs_f64();
    let most = second.end.saturating_duration_since(first.start).as_secs_f64();
    let wrong_by = (counted_s - most).max(least - counted_s);
    (wrong_by > MOST_CLOCK_ERROR_S).then(|| {
        format!(
            "the load generator's clock counted {counted_s:.1} s in {least:.1} to {most:.1} s: it was set"
        )
    })
}

/// The interval between two cuts.
fn between(opening: &Snapshot, closing: &Snapshot, primary: &str) -> Interval {
    let window = closing.since(opening);
    let endpoint = window.endpoint(primary);
    let open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
    Interval {
        seconds: window.seconds,
        requests: window.aggregated.requests,
        total_ms: window.aggregated.total_ms,
        waited_s: closing.waited_s.zip(opening.waited_s).map(|(later, earlier)| (later - earlier).max(0.0)),
        primary: endpoint.map(|endpoint| endpoint.histogram.clone()).unwrap_or_default(),
        succeeded: endpoint.map(|endpoint| endpoint.succeeded.clone()),
        arrivals: open.and_then(|open| Some(Arrivals { due: open.due, finished: open.finished? })),
    }
}
