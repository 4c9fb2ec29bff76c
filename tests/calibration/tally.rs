//! What became of many measurements of one cell.

use std::collections::BTreeMap;

use locust_matrix::judge::{JudgedRun, Row, Verdict, certainty_of_row, points};
use locust_matrix::measure::Bounds;
use records::Record;

use super::cell::Cell;
use super::measurement::record;
use super::truth::{FIGURES, Figure, Truth};

/// A service that differs by more than this factor is another service. The rule for a steady state asks for the same.
const SAME_SERVICE: f64 = 1.10;
/// Share of a window that may belong to another service. A change within the first of several intervals is no harm.
const OTHER_SERVICE: f64 = 0.2;

/// How often an interval was printed, and how often it held the truth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Coverage {
    /// Measurements with an interval.
    pub(crate) printed: u32,
    /// Of these, those whose interval holds the truth.
    pub(crate) held: u32,
    widths: f64,
}

/// What became of many measurements of one cell.
#[derive(Clone, Debug)]
pub(crate) struct Calibration {
    /// What was measured.
    pub(crate) cell: Cell,
    /// Number of intervals that were asked for. Each has [`Cell::repeats`] records behind it.
    pub(crate) runs: u32,
    /// Mean response time of the cell, s.
    pub(crate) response_s: f64,
    /// The intervals of [`FIGURES`] that rest on valid rows: sentences and outcomes cite only these.
    pub(crate) valid: [Coverage; FIGURES.len()],
    /// The intervals of each single row, whatever its verdict: the tables show them.
    pub(crate) shown: [Coverage; FIGURES.len()],
    /// Records of a changing service that are VALID although their window has both services.
    pub(crate) mixed: u32,
    verdicts: BTreeMap<Verdict, u32>,
    seconds: f64,
}

/// Measures a cell again and again.
pub(crate) fn calibrate(cell: &Cell, runs: u32) -> Calibration {
    let truth = Truth::of(cell);
    let mut found = Calibration {
        cell: cell.clone(),
        runs,
        response_s: truth.response_s,
        valid: Default::default(),
        shown: Default::default(),
        mixed: 0,
        verdicts: BTreeMap::new(),
        seconds: 0.0,
    };
    for run in 0..u64::from(runs) {
        let repeats = 1..=cell.repeats;
        let seed = |repeat: u32| run * u64::from(cell.repeats) + u64::from(repeat);
        let records: Vec<Record> = repeats.map(|repeat| record(cell, repeat, seed(repeat))).collect();
        found.add(&records, &truth);
    }
    found
}

impl Calibration {
    fn add(&mut self, records: &[Record], truth: &Truth) {
        let judged = JudgedRun::of(records);
        for row in &judged.rows {
            *self.verdicts.entry(row.judgement.verdict).or_default() += 1;
            self.seconds += measured_s(row.record);
            self.mixed += u32::from(row.is_valid() && has_both_services(&self.cell, row.record));
        }
        let rows: Vec<Row<'_>> = judged.rows.iter().map(Row::of).collect();
        let (points, truths) = (points(&rows), truth.figures);
        for (at, ((_, figure), truth)) in FIGURES.into_iter().zip(truths).enumerate() {
            if let Some(point) = points.first() {
                self.valid[at].add(figure, figure.of_point(point).bounds.ok(), truth);
            }
            if let (1, Figure::Percentile(q)) = (self.cell.repeats, figure) {
                self.shown[at].add(figure, certainty_of_row(&rows[0], q).bounds.ok(), truth);
            }
        }
    }

    /// Number of records.
    fn records(&self) -> f64 {
        f64::from(self.runs) * f64::from(self.cell.repeats)
    }

    /// The share of records with this verdict.
    pub(crate) fn share(&self, verdict: Verdict) -> f64 {
        f64::from(self.verdicts.get(&verdict).copied().unwrap_or(0)) / self.records()
    }

    /// The share of records of a changing service that are VALID although their window has both services.
    pub(crate) fn mixed_share(&self) -> f64 {
        f64::from(self.mixed) / self.records()
    }

    /// Mean length of a measurement, s.
    pub(crate) fn mean_s(&self) -> f64 {
        self.seconds / self.records()
    }
}

impl Coverage {
    fn add(&mut self, figure: Figure, bounds: Option<Bounds>, truth: Option<f64>) {
        let Some((bounds, truth)) = bounds.zip(truth) else { return };
        let half = figure.half_digit(truth);
        let wider = Bounds { low: bounds.low - half, high: bounds.high + half };
        self.printed += 1;
        self.held += u32::from(wider.holds(truth));
        self.widths += (bounds.high - bounds.low) / 2.0 / truth;
    }

    /// The share of printed intervals that hold the truth; `None` if none was printed.
    pub(crate) fn share(&self) -> Option<f64> {
        (self.printed > 0).then(|| f64::from(self.held) / f64::from(self.printed))
    }

    /// Mean half-width of the printed intervals, as a share of the truth.
    pub(crate) fn half_width(&self) -> f64 {
        self.widths / f64::from(self.printed.max(1))
    }
}

fn measured_s(record: &Record) -> f64 {
    record.intervals.iter().map(|interval| interval.seconds).sum()
}

/// Whether more than a small part of the window belongs to another service than its end does.
fn has_both_services(cell: &Cell, record: &Record) -> bool {
    let Some(window) = &record.window else { return false };
    let closed = measured_s(record);
    let at_end = cell.slowness_at(closed);
    let at = cell.slowness_at(closed - (1.0 - OTHER_SERVICE) * window.seconds);
    at.max(at_end) > SAME_SERVICE * at.min(at_end)
}
