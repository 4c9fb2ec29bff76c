//! The window while it is open: samples about every second, and the live line.

use std::collections::VecDeque;

use crate::events::Event;
use crate::load::Snapshot;
use crate::measure::{Figures, Window};
use crate::record::{Sample, WorkerHealth};

/// How far back the live figures look, s.
const LIVE_SPAN: f64 = 10.0;

/// Gathers what is seen between the opening and the closing cut.
#[derive(Debug)]
pub(super) struct Sampler {
    opening: Snapshot,
    /// Looks of the last seconds. The cuts are not among them: a look is up to a second behind, and a
    /// difference between the two kinds would be off by that.
    recent: VecDeque<Snapshot>,
    samples: Vec<Sample>,
    workers: Vec<WorkerHealth>,
}

impl Sampler {
    pub(super) fn open(opening: Snapshot) -> Self {
        let mut workers = Vec::new();
        watch(&mut workers, &opening);
        Self { opening, recent: VecDeque::new(), samples: Vec::new(), workers }
    }

    /// Takes one look into the samples.
    pub(super) fn take(&mut self, snapshot: Snapshot) {
        let total = snapshot.since(&self.opening);
        let step = self.recent.back().map(|last| snapshot.since(last).aggregated.figures(1.0));
        self.samples.push(Sample {
            at: (snapshot.now - self.opening.now).max(0.0),
            requests: total.aggregated.requests,
            failures: total.aggregated.failures,
            p50_ms: step.and_then(|figures| figures.p50_ms),
            p95_ms: step.and_then(|figures| figures.p95_ms),
            users: snapshot.user_count,
        });
        watch(&mut self.workers, &snapshot);
        self.recent.push_back(snapshot);
        while self.recent.len() > 2 && self.recent.get(1).is_some_and(|next| self.age(next) >= LIVE_SPAN) {
            self.recent.pop_front();
        }
    }

    /// The live line, of a window of `of_s` seconds; `None` before there are two looks to compare.
    pub(super) fn live(&self, of_s: f64) -> Option<Event> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let span = last.now - first.now;
        (span > 0.0)
            .then(|| line(last.now - self.opening.now, of_s, last.since(first).aggregated.figures(span)))
    }

    /// Closes the window: the samples, the workers' health, and the figures of all of it.
    pub(super) fn close(
        mut self,
        closing: &Snapshot,
        of_s: f64,
    ) -> (Window, Vec<Sample>, Vec<WorkerHealth>, Event) {
        watch(&mut self.workers, closing);
        let window = closing.since(&self.opening);
        let event = line(window.seconds, of_s, window.aggregated.figures(window.seconds));
        (window, self.samples, self.workers, event)
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
            workers.push(WorkerHealth { id: worker.id.clone(), cpu_percent, memory_bytes });
        }
    }
}

fn line(at_s: f64, of_s: f64, figures: Figures) -> Event {
    Event::Live {
        at_s,
        of_s,
        rps: figures.rps,
        median_ms: figures.p50_ms,
        p90_ms: figures.p90_ms,
        failures_pct: figures.failures_pct,
    }
}
