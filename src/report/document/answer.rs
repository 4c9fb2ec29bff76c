//! The answer of a search.

use super::{Block, Section, Sentence};
use crate::judge::{Answer, JudgedRun, Row};

/// What each number of replicas carries, and how many are needed; `None` if the run was not a search.
pub(super) fn section(run: &JudgedRun<'_>, rows: &[Row<'_>]) -> Option<Section> {
    let answer = Answer::of(run)?;
    let confirmation = answer.confirmation.as_ref().map(|one| one.scenario.as_str());
    let sentences = answer.found.iter().map(|found| {
        let probes = rows.iter().filter(|row| {
            let scenario = &row.record.scenario;
            scenario.replicas == found.replicas && Some(scenario.id.as_str()) != confirmation
        });
        Sentence::about(probes, format!("{found} ({} probes).", found.probes))
    });
    let blocks = vec![
        Block::Paragraph(Sentence::general(format!("{answer}."))),
        Block::list(sentences.filter(|sentence| !sentence.rows.is_empty()).collect()),
    ];
    Some(Section::new("answer", "Answer", blocks))
}
