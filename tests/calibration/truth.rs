//! The truth that an interval should hold.
//!
//! For one run with even connections, the truth is the stationary value: that of a very long run. For all others it
//! is the geometric mean over many runs of the same length, because an interval over repeats is about runs of this
//! length: each has other connections, and a short run of a queue near capacity has a lower P95 than a long run,
//! because it seldom sees the longest queues. More repeats of 20 s cannot tell what an hour would show.

use locust_matrix::judge::{Certainty, JudgedRun, Row, certainty_of_point, goodput_of_point, points};
use records::Interval;

use super::cell::{Cell, Change, Kind};
use super::measurement::record;
use super::system::System;

/// Length of the run that tells stationary values, s.
const LONG_S: f64 = 3000.0;
/// Number of independent runs that tell the mean over runs of one length.
const RUNS: u64 = 150;
/// Seeds from here on are those of the truth.
const SEEDS: u64 = 1 << 40;

/// A figure that has a confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Figure {
    /// The quantile, 0 to 1.
    Percentile(f64),
    /// Successful requests per second.
    Throughput,
}

/// The figures that are checked.
pub(crate) const FIGURES: [(&str, Figure); 4] = [
    ("P50", Figure::Percentile(0.5)),
    ("P95", Figure::Percentile(0.95)),
    ("P99", Figure::Percentile(0.99)),
    ("throughput", Figure::Throughput),
];

impl Figure {
    /// This figure of a point of the matrix, as the judge gives it.
    pub(crate) fn of_point(self, point: &locust_matrix::judge::Point<'_, '_>) -> Certainty {
        match self {
            Self::Percentile(q) => certainty_of_point(point, q),
            Self::Throughput => goodput_of_point(point),
        }
    }

    /// This figure of a long interval.
    fn of_interval(self, interval: &Interval) -> Option<f64> {
        match self {
            Self::Percentile(q) => interval.primary.quantile(q).map(|us| us as f64),
            Self::Throughput => Some(interval.goodput()),
        }
    }

    /// Half of the last of the three digits that figures have: the truth is known no better. Without it, a loop
    /// with a constant service, whose sections are all equal, would miss its own throughput by one request.
    pub(crate) fn half_digit(self, value: f64) -> f64 {
        let digit = 10_f64.powf(value.log10().floor() - 2.0);
        match self {
            Self::Percentile(_) => digit.max(1.0) / 2.0,
            Self::Throughput => digit / 2.0,
        }
    }
}

/// What is true of a cell.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// The value of each of [`FIGURES`]; `None` if there is none.
    pub(crate) figures: [Option<f64>; FIGURES.len()],
    /// Mean response time, s.
    pub(crate) response_s: f64,
}

impl Truth {
    /// The truth about a cell.
    pub(crate) fn of(cell: &Cell) -> Self {
        let is_alike = cell.change == Change::Never
            && cell.kind != Kind::Faulty
            && cell.utilization().is_none_or(|load| load < 1.0);
        let is_even = cell.simulation.connections != fake_inference::simulation::Connections::Random
            || cell.simulation.replicas == 1;
        match (is_alike, is_even && cell.repeats == 1) {
            (false, _) => Self { figures: [None; FIGURES.len()], response_s: f64::INFINITY },
            (true, true) => Self::stationary(cell),
            (true, false) => Self::of_runs(cell),
        }
    }

    fn stationary(cell: &Cell) -> Self {
        let long = System::simulate(cell, SEEDS, LONG_S).interval(0.0, LONG_S);
        Self {
            figures: FIGURES.map(|(_, figure)| figure.of_interval(&long)),
            response_s: long.total_ms / 1000.0 / long.requests.max(1) as f64,
        }
    }

    fn of_runs(cell: &Cell) -> Self {
        let (mut logs, mut responses, mut valid) = ([0.0; FIGURES.len()], 0.0, 0.0);
        for seed in 0..RUNS {
            let records = [record(cell, 1, SEEDS + seed)];
            let judged = JudgedRun::of(&records);
            let rows: Vec<Row<'_>> = judged.rows.iter().map(Row::of).collect();
            // An interval rests on valid rows, so that its truth does, too.
            for point in points(&rows) {
                valid += 1.0;
                for (log, (_, figure)) in logs.iter_mut().zip(FIGURES) {
                    *log += figure.of_point(&point).value.unwrap_or(f64::NAN).ln();
                }
                let mean_ms = rows[0].primary.and_then(|figures| figures.mean_ms);
                responses += mean_ms.unwrap_or(f64::NAN) / 1000.0;
            }
        }
        Self {
            figures: logs.map(|log| Some((log / valid).exp()).filter(|value| value.is_finite())),
            response_s: responses / valid,
        }
    }
}
