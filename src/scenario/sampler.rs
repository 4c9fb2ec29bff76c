//! The window while it is open: samples about every second, and the live line.

use std::collections::VecDeque;

use records::{OpenCounts, Sample, Window, WorkerHealth};

use crate::events::{Arrivals, Progress};
use crate::load::Snapshot;
use crate::measure::Figures;

/// How far back the live figures look, s.
const LIVE_SPAN: f64 = 10.0;

/// Gathers what is seen between the first and the last cut.
#[derive(Debug)]
pub(super) struct Sampler {
    opening: Snapshot,
    /// Length of the measurement, as it is planned by now, s.
    of_s: f64,
    /// Looks of the last seconds. The cuts are not among them: a look is up to a second behind, and a
    /// difference between the two kinds would be off by that.
    recent: VecDeque<Snapshot>,
    samples: Vec<Sample>,
    workers: Vec<WorkerHealth>,
}

/// What a measurement has come to.
#[derive(Debug)]
pub(super) struct Closed {
    pub window: Window,
    pub samples: Vec<Sample>,
    pub workers: Vec<WorkerHealth>,
    /// The live line over the whole window.
    pub live: Progress,
}

impl Sampler {
    pub(super) fn open(opening: &Snapshot, of_s: f64) -> Self {
        let mut workers = Vec::new();
        watch(&mut workers, opening);
        Self { opening: opening.clone(), of_s, recent: VecDeque::new(), samples: Vec::new(), workers }
    }

    /// The measurement goes on for longer than planned.
    pub(super) fn extend(&mut self, by_s: f64) {
        self.of_s += by_s;
    }

    /// Takes one look into the samples; gives how many there are.
    pub(super) fn take(&mut self, snapshot: Snapshot) -> usize {
        watch(&mut self.workers, &snapshot);
        if snapshot.caveat.is_some() {
            // Without our module a look has no counts, and zeros would be a lie.
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
        while self.recent.len() > 2 && self.recent.get(1).is_some_and(|next| self.age(next) >= LIVE_SPAN) {
            self.recent.pop_front();
        }
        self.samples.len()
    }

    /// The live line; `None` before there are two looks to compare.
    pub(super) fn live(&self) -> Option<Progress> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let span = last.now - first.now;
        let open = last.open.zip(first.open).map(|(later, earlier)| later.since(&earlier));
        (span > 0.0).then(|| {
            let figures = Figures::of(&last.since(first).aggregated, span);
            self.line(last.now - self.opening.now, figures, open)
        })
    }

    /// Closes the measurement with the window between two of its cuts.
    pub(super) fn close(mut self, opening: &Snapshot, closing: &Snapshot) -> Closed {
        watch(&mut self.workers, closing);
        for worker in &mut self.workers {
            let health = |snapshot: &Snapshot| {
                snapshot.workers.iter().find(|other| other.id == worker.id)?.health.clone()
            };
            (worker.opening, worker.closing) = (health(opening), health(closing));
        }
        let window = closing.since(opening);
        let open = closing.open.zip(opening.open).map(|(later, earlier)| later.since(&earlier));
        let live = self.line(
            closing.at() - self.opening.at(),
            Figures::of(&window.aggregated, window.seconds),
            open,
        );
        Closed { window, samples: self.samples, workers: self.workers, live }
    }

    fn line(&self, at_s: f64, figures: Figures, open: Option<OpenCounts>) -> Progress {
        Progress::Live {
            at_s,
            of_s: self.of_s,
            rps: figures.rps,
            median_us: figures.p50_us,
            p90_us: figures.p90_us,
            failures_pct: figures.failures_pct,
            open: open.map(|counts| Arrivals {
                rate: counts.rate,
                late: counts.late,
                skipped: counts.skipped,
            }),
        }
    }

    fn age(&self, snapshot: &Snapshot) -> f64 {
        self.recent.back().map_or(0.0, |last| last.now - snapshot.now)
    }
}

/// Keeps the highest CPU and memory of each worker.
fn watch(workers: &mut Vec<WorkerHealth>, snapshot: &Snapshot) {
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
