//! Attempts at a scenario whose figures the report does not use.

use super::sentence::with_full_stop;
use super::{Block, Section, Sentence};
use crate::judge::{JudgedRun, Row};

const INTRO: &str = "A scenario that is VOID is measured once more. The records have the figures of every attempt; \
    the tables have those of the last attempt that was measured.";

/// The other attempts; `None` if each scenario was tried once.
pub(super) fn section(run: &JudgedRun<'_>) -> Option<Section> {
    let sentences = run.other_attempts.iter().map(|judged| {
        let row = Row::of(judged);
        let (status, reasons) = (row.judgement.verdict.status(), row.judgement.reasons.join("; "));
        let text = format!("{}, attempt {}: {status}: {reasons}", row.name(), row.record.attempt);
        Sentence::about([&row], with_full_stop(&text))
    });
    let sentences: Vec<_> = sentences.collect();
    (!sentences.is_empty())
        .then(|| Section::new("attempts", "Other attempts", vec![Block::list(sentences)]).with_intro(INTRO))
}
