//! All records of a run, judged together.

use records::Record;

use super::alone::judge_alone;
use super::judged::Judged;
use super::verdict::Judgement;
use super::worker_pairs::{WorkerPair, apply, worker_pairs};

/// All records of a run, judged together.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRun<'a> {
    /// The records with their judgements, in the order of the plan.
    pub rows: Vec<Judged<'a>>,
    /// The paired test of the worker axis: neighbours that differ in workers alone.
    pub worker_pairs: Vec<WorkerPair>,
}

impl<'a> JudgedRun<'a> {
    /// Judges each record alone, then beside the others.
    pub fn of(records: &'a [Record]) -> Self {
        let alone: Vec<_> = records.iter().map(judge_alone).collect();
        Self::of_judged(records, &alone)
    }

    /// Judges records beside each other whose judgements alone are known, in the same order.
    pub fn of_judged(records: &'a [Record], alone: &[Judgement]) -> Self {
        let judged = records.iter().zip(alone);
        let mut rows: Vec<_> =
            judged.map(|(record, judgement)| Judged { record, judgement: judgement.clone() }).collect();
        rows.sort_by_key(|row| row.record.scenario.index);
        let worker_pairs = worker_pairs(&rows);
        apply(&worker_pairs, &mut rows);
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
