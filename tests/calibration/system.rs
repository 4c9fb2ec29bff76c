//! The simulated system over the time of a measurement, also if its service changes.

use std::collections::BTreeMap;

use fake_inference::simulation::{Load, Service, Simulation, Trace};
use records::{Arrivals, Histogram, Interval, OpenCounts, Replica, three_digits};

use super::cell::Cell;

/// A changing service is simulated in this many pieces for each duration. In each piece it is constant.
const PIECES: u32 = 20;

/// The simulated system from the beginning of a measurement on. A service that changes is simulated in pieces, each
/// in the steady state of its own service time, and their counts are joined.
pub(crate) struct System {
    pieces: Vec<Piece>,
    rate: Option<f64>,
}

/// A piece of time with the same service, and its own trace, whose time 0 is the beginning of the piece.
struct Piece {
    from: f64,
    to: f64,
    trace: Trace,
}

impl System {
    /// Simulates this long, s.
    pub(crate) fn simulate(cell: &Cell, seed: u64, seconds: f64) -> Self {
        let pieces = constant_pieces(cell, seconds).into_iter().zip(0..).map(|((from, to, slowness), at)| {
            let simulation = Simulation {
                service: slower(cell.simulation.service, slowness),
                seconds: to - from,
                // Pieces share no random numbers.
                seed: seed + 1_000_003 * at,
                ..cell.simulation.clone()
            };
            Piece { from, to, trace: simulation.run() }
        });
        let rate = match cell.simulation.load {
            Load::Open { rate, .. } => Some(rate),
            Load::Closed { .. } => None,
        };
        Self { pieces: pieces.collect(), rate }
    }

    /// The parts of the pieces between two times, with their own times.
    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = (&Trace, f64, f64)> {
        self.pieces.iter().filter_map(move |piece| {
            let (from, to) = (from.max(piece.from), to.min(piece.to));
            (from < to).then_some((&piece.trace, from - piece.from, to - piece.from))
        })
    }

    /// The interval between two cuts at these times.
    pub(crate) fn interval(&self, from: f64, to: f64) -> Interval {
        let parts: Vec<Interval> = self
            .between(from, to)
            .map(|(trace, from, to)| interval(trace, from, to, self.rate.is_some()))
            .collect();
        Interval { seconds: to - from, ..Interval::sum(&parts) }
    }

    /// The counts of the open model's arrivals between two times.
    pub(crate) fn open(&self, from: f64, to: f64) -> Option<OpenCounts> {
        let mut counts = OpenCounts { rate: self.rate?, finished: Some(0), ..OpenCounts::default() };
        for (trace, from, to) in self.between(from, to) {
            let (before, after) = (trace.counts_at(from), trace.counts_at(to));
            counts.due += whole(after.due - before.due);
            counts.started += whole(after.started - before.started);
            counts.finished = counts.finished.map(|sum| sum + whole(after.finished - before.finished));
        }
        Some(counts)
    }

    /// The replicas' own counts up to a time.
    pub(crate) fn replicas(&self, to: f64) -> Vec<Replica> {
        let number = self.pieces.first().map_or(0, |piece| piece.trace.users.len());
        let (mut succeeded, mut failed) = (vec![0_u64; number], vec![0_u64; number]);
        for (trace, _, to) in self.between(0.0, to) {
            for request in trace.finished_between(f64::NEG_INFINITY, to) {
                let counts = if request.ok { &mut succeeded } else { &mut failed };
                counts[request.replica] += 1;
            }
        }
        let own = |(index, (succeeded, failed)): (usize, (u64, u64))| Replica {
            pod: format!("inference-{index}"),
            under_way: None,
            readings: 0,
            requests: Some(
                [("/predict 200".to_owned(), succeeded), ("/predict 503".to_owned(), failed)].into(),
            ),
        };
        succeeded.into_iter().zip(failed).enumerate().map(own).collect()
    }
}

/// The time as pieces in which the service is the same.
fn constant_pieces(cell: &Cell, seconds: f64) -> Vec<(f64, f64, f64)> {
    let step = cell.duration_s / f64::from(PIECES);
    let mut pieces: Vec<(f64, f64, f64)> = Vec::new();
    let mut from = 0.0;
    while from + step / 2.0 < seconds {
        let (to, slowness) = (from + step, cell.slowness_at(from + step / 2.0));
        match pieces.last_mut() {
            Some((_, end, last)) if (*last - slowness).abs() < 1e-9 => *end = to,
            _ => pieces.push((from, to, slowness)),
        }
        from = to;
    }
    pieces
}

fn slower(service: Service, factor: f64) -> Service {
    match service {
        Service::Constant(mean) => Service::Constant(mean * factor),
        Service::Exponential(mean) => Service::Exponential(mean * factor),
        Service::LogNormal { mean, sigma } => Service::LogNormal { mean: mean * factor, sigma },
        Service::Measured(profile) => Service::Measured(profile),
    }
}

fn interval(trace: &Trace, from: f64, to: f64, open: bool) -> Interval {
    let (mut all, mut failed, mut total_ms) = (BTreeMap::new(), BTreeMap::new(), 0.0);
    for request in trace.finished_between(from, to) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is positive"
        )]
        let bucket = three_digits((request.response() * 1e6).round() as u64);
        total_ms += request.response() * 1000.0;
        *all.entry(bucket).or_default() += 1;
        if !request.ok {
            *failed.entry(bucket).or_default() += 1;
        }
    }
    let all: Histogram = all.into_iter().collect();
    let (before, after) = (trace.counts_at(from), trace.counts_at(to));
    let arrivals =
        Arrivals { due: whole(after.due - before.due), finished: whole(after.finished - before.finished) };
    Interval {
        seconds: to - from,
        requests: all.count(),
        total_ms,
        waited_s: None,
        succeeded: Some(all.since(&failed.into_iter().collect())),
        primary: all,
        arrivals: open.then_some(arrivals),
    }
}

fn whole(count: usize) -> u64 {
    count as u64
}
