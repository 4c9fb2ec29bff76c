//! A record with its judgement.

use std::sync::OnceLock;

use records::Record;

use super::verdict::{Judgement, Verdict};
use crate::measure::{Figures, NoBounds, Sections};

/// A record with its judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<'a> {
    /// What was observed.
    pub record: &'a Record,
    /// What its figures are worth.
    pub judgement: Judgement,
    /// Its figures and the sections of its window, once they were needed: every format of the report asks for them.
    pub(super) figures: OnceLock<FiguresOfRow>,
    pub(super) sections: OnceLock<Result<Sections, NoBounds>>,
}

/// The figures of all endpoints together and of the primary one.
pub(super) type FiguresOfRow = (Option<Figures>, Option<Figures>);

impl<'a> Judged<'a> {
    /// A record with this judgement.
    pub const fn new(record: &'a Record, judgement: Judgement) -> Self {
        Self { record, judgement, figures: OnceLock::new(), sections: OnceLock::new() }
    }
}

impl Judged<'_> {
    /// Whether its figures may be cited.
    pub fn is_valid(&self) -> bool {
        self.judgement.verdict == Verdict::Valid
    }

    /// Whether it has no figures that could be judged, which ends a run with exit code 5.
    pub fn has_failed(&self) -> bool {
        self.judgement.verdict.is_failure() || self.record.window.is_none()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::judge::alone::judge_alone;

    /// Records with the judgements that they have alone.
    pub(crate) fn alone(records: &[Record]) -> Vec<Judged<'_>> {
        records.iter().map(|record| Judged::new(record, judge_alone(record))).collect()
    }
}
