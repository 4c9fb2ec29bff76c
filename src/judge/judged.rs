//! A record with its judgement.

use records::Record;

use super::verdict::{Judgement, Verdict};

/// A record with its judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<'a> {
    /// What was observed.
    pub record: &'a Record,
    /// What its figures are worth.
    pub judgement: Judgement,
}

impl Judged<'_> {
    /// Whether its figures may be cited.
    pub fn is_valid(&self) -> bool {
        self.judgement.verdict == Verdict::Valid
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::judge::alone::judge_alone;

    /// Records with the judgements that they have alone.
    pub(crate) fn alone(records: &[Record]) -> Vec<Judged<'_>> {
        records.iter().map(|record| Judged { record, judgement: judge_alone(record) }).collect()
    }
}
