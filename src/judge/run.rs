//! All records of a run, judged together.

use std::sync::OnceLock;

use records::{Question, Record};

use super::alone::judge_alone;
use super::check::Check;
use super::judged::Judged;
use super::verdict::{Judgement, Verdict};
use super::worker_pairs::{WorkerPair, apply, worker_pairs};

/// How often a scenario is tried at most. Only a VOID one is tried again.
pub(super) const ATTEMPTS: u32 = 2;

/// All records of a run, judged together.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedRun<'a> {
    /// One record for each scenario with its judgement, in the order of the plan: the last attempt that has
    /// figures, or the last one if none has.
    pub rows: Vec<Judged<'a>>,
    /// The other attempts, judged alone, in the order in which they were made.
    pub other_attempts: Vec<Judged<'a>>,
    /// The paired test of the worker axis: neighbours that differ in workers alone.
    pub worker_pairs: Vec<WorkerPair>,
    /// The goals of every point, once they were needed.
    pub(super) checks: OnceLock<Vec<Check>>,
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
        let judged = judged.map(|(record, judgement)| Judged::new(record, judgement.clone()));
        let (mut rows, mut other_attempts): (Vec<Judged<'_>>, _) = (Vec::new(), Vec::new());
        for new in judged {
            match rows.iter_mut().find(|row| row.record.scenario.id == new.record.scenario.id) {
                Some(row) if new.record.window.is_some() || row.record.window.is_none() => {
                    other_attempts.push(std::mem::replace(row, new));
                }
                Some(_) => other_attempts.push(new),
                None => rows.push(new),
            }
        }
        rows.sort_by_key(|row| row.record.scenario.index);
        let worker_pairs = worker_pairs(&rows);
        apply(&worker_pairs, &mut rows);
        Self { rows, other_attempts, worker_pairs, checks: OnceLock::new() }
    }

    /// Whether the last attempt at a scenario was VOID, and another one is due.
    pub fn is_unfinished(&self, id: &str) -> bool {
        let attempts = self.rows.iter().chain(&self.other_attempts);
        let last =
            attempts.filter(|attempt| attempt.record.scenario.id == id).max_by_key(|one| one.record.attempt);
        last.is_some_and(|last| last.judgement.verdict == Verdict::Void && last.record.attempt < ATTEMPTS)
    }

    /// What the run was started to find out; `None` without a row.
    pub fn question(&self) -> Option<&'a Question> {
        self.rows.first().map(|row| &row.record.environment.question)
    }

    /// Whether a goal that cannot be decided counts as met for the exit code.
    pub fn unknown_passes(&self) -> bool {
        self.question().is_some_and(|question| question.unknown_passes)
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
        self.rows.iter().any(Judged::has_failed)
    }
}

#[cfg(test)]
mod tests {
    use records::{Unmeasured, UnmeasuredKind};

    use super::*;
    use crate::record::tests::record;

    /// An attempt at one scenario; without a window if it was not measured.
    fn attempt(number: u32, kind: Option<UnmeasuredKind>, has_window: bool) -> Record {
        let mut record = Record { attempt: number, ..record(0, 1, 20, 800) };
        record.unmeasured = kind.map(|kind| Unmeasured::new(kind, "why"));
        record.window = record.window.filter(|_| has_window);
        record
    }

    #[test]
    fn the_row_of_a_scenario_is_its_last_attempt_that_has_figures() {
        use UnmeasuredKind::{Broken, Disturbed};
        let row = |records: &[Record]| {
            let run = JudgedRun::of(records);
            assert_eq!((run.rows.len(), run.other_attempts.len()), (1, records.len() - 1));
            (run.rows[0].record.attempt, run.rows[0].judgement.verdict)
        };
        let void = attempt(1, Some(Disturbed), true);
        assert_eq!(row(&[void.clone(), attempt(2, None, true)]), (2, Verdict::Valid));
        assert_eq!(
            row(&[void, attempt(2, Some(Broken), false)]),
            (1, Verdict::Void),
            "its figures are not lost"
        );
        let nothing = attempt(1, Some(Disturbed), false);
        assert_eq!(row(&[nothing.clone(), attempt(2, Some(Broken), false)]), (2, Verdict::Failed));
        assert_eq!(row(&[nothing]), (1, Verdict::Void));
    }

    #[test]
    fn a_void_scenario_is_unfinished_until_its_last_attempt() {
        use UnmeasuredKind::{Broken, Disturbed};
        let is_unfinished =
            |records: &[Record]| JudgedRun::of(records).is_unfinished(&records[0].scenario.id);
        assert!(is_unfinished(&[attempt(1, Some(Disturbed), true)]));
        assert!(!is_unfinished(&[attempt(1, Some(Broken), false)]), "FAILED is an answer");
        assert!(!is_unfinished(&[attempt(1, None, true)]));
        for second in [attempt(2, None, true), attempt(2, Some(Disturbed), false)] {
            assert!(!is_unfinished(&[attempt(1, Some(Disturbed), true), second]));
        }
    }

    #[test]
    fn a_row_fails_by_its_verdict_or_because_it_has_no_figures() {
        use UnmeasuredKind::{Disturbed, GeneratorLate};
        for (kind, has_window, verdict, fails) in [
            (None, true, Verdict::Valid, false),
            (Some(Disturbed), true, Verdict::Void, true),
            (Some(GeneratorLate), true, Verdict::LoadgenLimited, false),
            (Some(GeneratorLate), false, Verdict::LoadgenLimited, true),
        ] {
            let records = [attempt(2, kind, has_window)];
            let run = JudgedRun::of(&records);
            assert_eq!((run.rows[0].judgement.verdict, run.has_failure()), (verdict, fails), "{kind:?}");
        }
    }
}
