//! The one place that judges. Records go in, judgements come out, and no judgement is ever stored: the console,
//! the exit code and every report ask here.

mod alone;
mod points;
mod row;
mod verdict;
mod worker_pairs;

use records::Record;

pub use alone::judge_alone;
pub use points::{Point, drift, drift_ends, points};
pub use row::Row;
pub use verdict::{Judgement, Verdict};
pub use worker_pairs::WorkerPair;

/// A record with its judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<'a> {
    /// What was observed.
    pub record: &'a Record,
    /// What its figures are worth.
    pub judgement: Judgement,
}

/// All records of a run, judged together.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRun<'a> {
    /// The records with their judgements, in the order of the plan.
    pub rows: Vec<Judged<'a>>,
    /// The paired test of the worker axis: neighbours that differ in workers alone.
    pub worker_pairs: Vec<WorkerPair>,
}

impl Judged<'_> {
    /// Whether its figures may be cited.
    pub fn is_valid(&self) -> bool {
        self.judgement.verdict == Verdict::Valid
    }
}

impl<'a> JudgedRun<'a> {
    /// Judges each record alone, then beside the others.
    pub fn of(records: &'a [Record]) -> Self {
        let mut rows: Vec<_> =
            records.iter().map(|record| Judged { record, judgement: judge_alone(record) }).collect();
        rows.sort_by_key(|row| row.record.scenario.index);
        let worker_pairs = worker_pairs::worker_pairs(&rows);
        worker_pairs::apply(&worker_pairs, &mut rows);
        Self { rows, worker_pairs }
    }

    /// The row of a scenario.
    pub fn row(&self, id: &str) -> Option<&Judged<'a>> {
        self.rows.iter().find(|row| row.record.scenario.id == id)
    }

    /// The number of valid rows.
    pub fn valid(&self) -> usize {
        self.rows.iter().filter(|row| row.is_valid()).count()
    }

    /// Whether a row has no figures at all, which ends a run with exit code 5.
    pub fn has_failure(&self) -> bool {
        self.rows.iter().any(|row| row.judgement.verdict.is_failure())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Records with the judgements that they have alone.
    pub(crate) fn alone(records: &[Record]) -> Vec<Judged<'_>> {
        records.iter().map(|record| Judged { record, judgement: judge_alone(record) }).collect()
    }
}
