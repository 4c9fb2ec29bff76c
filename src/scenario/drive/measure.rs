//! The measurement: interval after interval, from cut to cut, until the stopping rule ends it.

use std::time::Duration;

use records::{Interval, Scenario, StoppingRule};
use tokio::time::{Instant, sleep_until};

use super::Drive;
use super::load::{SAMPLE_EVERY, failed};
use crate::events::Progress;
use crate::load::{LoadGenerator, Snapshot};
use crate::measure::{Next, interval_s, next, window_from};
use crate::scenario::machine::Event;
use crate::scenario::sampler::Sampler;
use crate::scenario::setup::DEADMAN;

/// Samples per live line.
const SAMPLES_PER_LINE: usize = 2;
/// How long the master may be silent while measuring before the run is given up.
const SILENCE: Duration = Duration::from_secs(10);

/// The pace of the snapshots, which continues from interval to interval.
struct Pace {
    /// When Locust last answered.
    heard: Instant,
    /// When the next snapshot is due.
    next: Instant,
}

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn measure(&mut self) -> Result<(), Event> {
        let rule = self.stopping_rule();
        let begun = Instant::now();
        let mut cuts = vec![self.cut().await.map_err(|error| failed(error.message))?];
        let opened = Instant::now();
        self.note("open", opened - begun);
        let mut sampler = Sampler::open(&cuts[0], rule.duration_s);
        let (mut intervals, mut cutting) = (Vec::new(), Duration::ZERO);
        let mut pace = Pace { heard: opened, next: opened + SAMPLE_EVERY };
        loop {
            let until = Instant::now() + Duration::from_secs_f64(interval_s(&rule));
            self.watch(&mut sampler, &mut pace, until).await?;
            let cut_begun = Instant::now();
            let cut = self.cut().await;
            cutting += cut_begun.elapsed();
            match (cut, cuts.last()) {
                (Ok(cut), Some(last)) => {
                    intervals.push(interval(&cut, last, &self.setup.config.inference.primary));
                    cuts.push(cut);
                }
                (Err(error), _) if pace.heard.elapsed() > SILENCE => return Err(error.into()),
                // Without a cut, the interval goes on; but the last one must end with a cut.
                (Err(error), _) if opened.elapsed().as_secs_f64() >= rule.duration_s => {
                    return Err(failed(error.message));
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
        self.note("window", opened.elapsed().saturating_sub(cutting));
        self.note("close", cutting);
        self.close(sampler, &rule, &cuts, intervals);
        Ok(())
    }

    /// The row's window is the steady part of what was measured.
    fn close(&mut self, sampler: Sampler, rule: &StoppingRule, cuts: &[Snapshot], intervals: Vec<Interval>) {
        let from = window_from(rule, &intervals);
        let (Some(opening), Some(closing)) = (cuts.get(from), cuts.last()) else { return };
        let closed = sampler.close(opening, closing);
        self.setup.events.tell(closed.live);
        self.gathered.open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
        self.gathered.window = Some(closed.window);
        self.gathered.samples = closed.samples;
        self.gathered.health = closed.workers;
        self.gathered.intervals = intervals;
    }

    /// Takes samples until an interval is over.
    async fn watch(&mut self, sampler: &mut Sampler, pace: &mut Pace, until: Instant) -> Result<(), Event> {
        let Scenario { users, workers, .. } = *self.scenario;
        while pace.next < until {
            sleep_until(pace.next).await;
            // A slow snapshot is not made up for: requests would pile up on a busy master.
            pace.next = (pace.next + SAMPLE_EVERY).max(Instant::now());
            match self.setup.load.snapshot(DEADMAN).await {
                Ok(snapshot) => {
                    pace.heard = Instant::now();
                    if self.gathered.disturbed.is_none() && !snapshot.is_running(users, workers) {
                        self.gathered.disturbed =
                            Some(format!("the load was disturbed: {}", snapshot.describe()));
                    }
                    if sampler.take(snapshot).is_multiple_of(SAMPLES_PER_LINE)
                        && let Some(live) = sampler.live()
                    {
                        self.setup.events.tell(live);
                    }
                }
                Err(error) if pace.heard.elapsed() > SILENCE => return Err(error.into()),
                Err(_) => {}
            }
        }
        sleep_until(until).await;
        Ok(())
    }
}

/// What happened between two cuts.
fn interval(cut: &Snapshot, last: &Snapshot, primary: &str) -> Interval {
    let window = cut.since(last);
    Interval {
        seconds: window.seconds,
        requests: window.aggregated.requests,
        total_ms: window.aggregated.total_ms,
        primary: window.endpoint(primary).map(|endpoint| endpoint.histogram.clone()).unwrap_or_default(),
    }
}
