//! The measurement: window after window, from cut to cut, until it is known what it has come to.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::load::{SAMPLE_EVERY, failed};
use super::{DEADMAN, Drive};
use crate::events::Event;
use crate::load::{LoadGenerator, Snapshot};
use crate::measure::{Course, Next, Part};
use crate::plan::Scenario;
use crate::scenario::Happening;
use crate::scenario::sampler::Sampler;

/// Samples per live line.
const SAMPLES_PER_LINE: usize = 2;
/// A master that does not answer for this long while measuring is given up.
const SILENCE: Duration = Duration::from_secs(10);

/// The looks at Locust, which go on from window to window.
struct Pace {
    /// When it has last answered.
    heard: Instant,
    /// When it is looked at next.
    next: Instant,
}

impl<L: LoadGenerator + Sync> Drive<'_, L> {
    pub(super) async fn measure(&mut self) -> Result<(), Happening> {
        let course = self.course();
        let begun = Instant::now();
        let mut cuts = vec![self.cut().await.map_err(|error| failed(error.message))?];
        let opened = Instant::now();
        self.note("open", opened - begun);
        let mut sampler = Sampler::open(&cuts[0], course.duration_s);
        let (mut parts, mut cutting) = (Vec::new(), Duration::ZERO);
        let mut pace = Pace { heard: opened, next: opened + SAMPLE_EVERY };
        loop {
            let until = Instant::now() + Duration::from_secs_f64(course.step_s());
            self.watch(&mut sampler, &mut pace, until).await?;
            let cut_begun = Instant::now();
            let cut = self.cut().await;
            cutting += cut_begun.elapsed();
            match (cut, cuts.last()) {
                (Ok(cut), Some(last)) => {
                    parts.push(part(&cut, last, &self.setup.config.inference.primary));
                    cuts.push(cut);
                }
                (Err(error), _) if pace.heard.elapsed() > SILENCE => return Err(error.into()),
                // Without a cut, the next window is twice as long; at the end there has to be one.
                (Err(error), _) if opened.elapsed().as_secs_f64() >= course.duration_s => {
                    return Err(failed(error.message));
                }
                _ => continue,
            }
            match course.next(&parts) {
                Next::Measure => {}
                Next::Extend(why) => {
                    sampler.extend(course.step_s());
                    self.setup.events.tell(Event::note(format!("  measuring on: {why}")));
                }
                Next::Close => break,
            }
        }
        self.note("window", opened.elapsed().saturating_sub(cutting));
        self.note("close", cutting);
        self.close(sampler, &course, &cuts, parts);
        Ok(())
    }

    /// The row's window is the steady part of what was measured.
    fn close(&mut self, sampler: Sampler, course: &Course, cuts: &[Snapshot], parts: Vec<Part>) {
        let from = course.window_from(&parts);
        let (Some(opening), Some(closing)) = (cuts.get(from), cuts.last()) else { return };
        let closed = sampler.close(opening, closing);
        self.setup.events.tell(closed.live);
        self.gathered.open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
        self.gathered.window = Some(closed.window);
        self.gathered.samples = closed.samples;
        self.gathered.health = closed.workers;
        self.gathered.parts = parts;
    }

    /// Takes samples until a window's time is over.
    async fn watch(
        &mut self,
        sampler: &mut Sampler,
        pace: &mut Pace,
        until: Instant,
    ) -> Result<(), Happening> {
        let Scenario { users, workers, .. } = *self.scenario;
        while pace.next < until {
            sleep_until(pace.next).await;
            // A look that took long is not made up for: samples would pile up on a busy master.
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

/// What came between two cuts.
fn part(cut: &Snapshot, last: &Snapshot, primary: &str) -> Part {
    let window = cut.since(last);
    Part {
        seconds: window.seconds,
        requests: window.aggregated.requests,
        total_ms: window.aggregated.total_ms,
        primary: window.endpoint(primary).map(|endpoint| endpoint.histogram.clone()).unwrap_or_default(),
    }
}
