//! Samples about every second while the window is open, and the live figures.

use std::collections::VecDeque;

use records::{Health, OpenCounts, Sample, Window, WorkerHealth};

use crate::events::{Arrivals, Progress};
use crate::load::Snapshot;
use crate::measure::Figures;

/// The live figures are those of this time, s.
const LIVE_SPAN_S: f64 = 10.0;

/// So many requests that all failed, for so long (s), end the measurement.
const FAILURES_ENOUGH: u64 = 100;
const FAILURES_LAST_S: f64 = 3.0;

/// Collects the snapshots between the first and the last cut.
#[derive(Debug)]
pub(super) struct Sampler {
    opening: Snapshot,
    /// Planned length of the measurement, s. It grows if the measurement is extended.
    planned_s: f64,
    /// Whether snapshots have counts. If false, there are no samples, because all would be zero.
    live_counts: bool,
    /// Snapshots of the last seconds, without the cuts. The counts of a snapshot are up to a second old, so a
    /// difference to a cut would be wrong by that.
    recent: VecDeque<Snapshot>,
    samples: Vec<Sample>,
    workers: Vec<WorkerHealth>,
}

/// The result of a measurement.
#[derive(Debug)]
pub(super) struct Measurement {
    pub window: Window,
    pub samples: Vec<Sample>,
    pub workers: Vec<WorkerHealth>,
    /// The figures of the whole window, in the form of the live figures.
    pub live: Progress,
}

impl Sampler {
    pub(super) fn new(opening: &Snapshot, planned_s: f64, live_counts: bool) -> Self {
        let mut workers = Vec::new();
        update_workers(&mut workers, opening);
        let (recent, samples) = (VecDeque::new(), Vec::new());
        Self { opening: opening.clone(), planned_s, live_counts, recent, samples, workers }
    }

    /// Extends the planned length of the measurement.
    pub(super) fn extend(&mut self, by_s: f64) {
        self.planned_s += by_s;
    }

    /// Makes a sample of a snapshot; returns the number of samples.
    pub(super) fn add(&mut self, snapshot: Snapshot) -> usize {
        update_workers(&mut self.workers, &snapshot);
        if !self.live_counts {
            return self.samples.len();
        }
        let total = snapshot.since(&self.opening);
        let step = self.recent.back().map(|last| Figures::of(&snapshot.since(last).aggregated, 1.0));
        self.samples.push(Sample {
            at: (snapshot.now - self.opening.now).max(0.0),
            requests: total.aggregated.requests,
            failures: total.aggregated.failures,
            p50_us: step.and_then(|figures| figures.p50_us),
            p95_us: step.and_then(|figures| figures.p95_us),
            users: snapshot.user_count,
        });
        self.recent.push_back(snapshot);
        while self.recent.len() > 2 && self.recent.get(1).is_some_and(|next| self.age(next) >= LIVE_SPAN_S) {
            self.recent.pop_front();
        }
        self.samples.len()
    }

    /// Says so if all requests to `primary`, or all to all endpoints, have failed so far, and they are many. The rest
    /// of the window would only burden a service that does not work.
    pub(super) fn only_failures(&self, snapshot: &Snapshot, primary: &str) -> Option<String> {
        let seconds = snapshot.now - self.opening.now;
        if !self.live_counts || seconds < FAILURES_LAST_S {
            return None;
        }
        let since = snapshot.since(&self.opening);
        let to_primary =
            since.endpoint(primary).map(|endpoint| (format!("every request to {primary}"), endpoint));
        let to_all = ("every request to each endpoint".to_owned(), &since.aggregated);
        let failed = to_primary
            .into_iter()
            .chain([to_all])
            .find(|(_, counts)| counts.requests >= FAILURES_ENOUGH && counts.failures == counts.requests);
        let (which, counts) = failed?;
        Some(format!("{which} failed, {} in the first {seconds:.0} s of the window", counts.requests))
    }

    /// The live figures; `None` before the second snapshot.
    pub(super) fn live(&self) -> Option<Progress> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let span = last.now - first.now;
        let open = last.open.zip(first.open).map(|(later, earlier)| later.since(&earlier));
        (span > 0.0).then(|| {
            let figures = Figures::of(&last.since(first).aggregated, span);
            self.progress(last.now - self.opening.now, figures, open)
        })
    }

    /// Ends the measurement; its window is the time between these two cuts.
    pub(super) fn finish(mut self, opening: &Snapshot, closing: &Snapshot) -> Measurement {
        update_workers(&mut self.workers, closing);
        for worker in &mut self.workers {
            let health = |snapshot: &Snapshot| {
                snapshot.workers.iter().find(|other| other.id == worker.id)?.health.clone()
            };
            (worker.opening, worker.closing) = match (health(opening), health(closing)) {
                (Some(opening), Some(closing)) => {
                    let (opening, closing) = Health::apart(&opening, &closing);
                    (Some(opening), Some(closing))
                }
                readings => readings,
            };
        }
        let window = closing.since(opening);
        let open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
        let live = self.progress(
            closing.at() - self.opening.at(),
            Figures::of(&window.aggregated, window.seconds),
            open,
        );
        Measurement { window, samples: self.samples, workers: self.workers, live }
    }

    fn progress(&self, at_s: f64, figures: Figures, open: Option<OpenCounts>) -> Progress {
        Progress::Live {
            at_s,
            of_s: self.planned_s,
            rps: figures.rps,
            median_us: figures.p50_us,
            p90_us: figures.p90_us,
            p95_us: figures.p95_us,
            failures_pct: figures.failures_pct,
            open: open.map(|counts| Arrivals {
                rate: counts.rate,
                late: counts.late,
                skipped: counts.skipped,
            }),
        }
    }

    /// How much older a snapshot is than the latest one, s.
    fn age(&self, snapshot: &Snapshot) -> f64 {
        self.recent.back().map_or(0.0, |last| last.now - snapshot.now)
    }
}

/// Keeps the highest CPU use and memory of each worker.
fn update_workers(workers: &mut Vec<WorkerHealth>, snapshot: &Snapshot) {
    for worker in &snapshot.workers {
        if let Some(known) = workers.iter_mut().find(|known| known.id == worker.id) {
            known.cpu_percent = known.cpu_percent.max(worker.cpu_percent);
            known.memory_bytes = known.memory_bytes.max(worker.memory_bytes);
        } else {
            let (cpu_percent, memory_bytes) = (worker.cpu_percent, worker.memory_bytes);
            let (id, opening, closing) = (worker.id.clone(), None, None);
            workers.push(WorkerHealth { id, cpu_percent, memory_bytes, opening, closing });
        }
    }
}
