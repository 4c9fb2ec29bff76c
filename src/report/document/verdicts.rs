//! Each row that is not valid, with every reason.

use super::sentence::with_full_stop;
use super::{Block, Section, Sentence};
use crate::judge::{Row, Verdict};

const INTRO: &str =
    "Rows that are not named here are valid. Findings and recommendations cite valid rows only.";

/// The rows that are not valid, by verdict; `None` if all are valid.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut verdicts: Vec<Verdict> = rows
        .iter()
        .filter(|row| !row.judgement.reasons.is_empty())
        .map(|row| row.judgement.verdict)
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let blocks: Vec<_> = verdicts.into_iter().map(|verdict| list(rows, verdict)).collect();
    (!blocks.is_empty()).then(|| Section::new("verdicts", "Verdicts", blocks).with_intro(INTRO))
}

/// The rows of one verdict. Rows with the same reasons share a sentence.
fn list(rows: &[Row<'_>], verdict: Verdict) -> Block {
    let mut groups: Vec<(String, Vec<&Row<'_>>)> = Vec::new();
    for row in rows.iter().filter(|row| row.judgement.verdict == verdict) {
        let attempt = match row.record.attempt {
            1 => String::new(),
            attempt => format!(" (attempt {attempt})"),
        };
        let said = format!("{attempt}: {}", row.judgement.reasons.join("; "));
        match groups.iter_mut().find(|(known, _)| *known == said) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((said, vec![row])),
        }
    }
    let items = groups.into_iter().map(|(said, rows)| {
        let names: Vec<_> = rows.iter().map(|row| row.name()).collect();
        let text = with_full_stop(&format!("{}{said}", names.join("; ")));
        Sentence::about(rows, text)
    });
    Block::led(format!("{}: {}", verdict.status(), next_step(verdict)), items.collect())
}

/// What the user can do about it.
pub(super) const fn next_step(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failed => "look at the logs of the service and of Locust.",
        Verdict::Void => "find out why the pods changed: kubectl get events.",
        Verdict::Infeasible => "sweep fewer replicas, request less per pod, or add nodes.",
        Verdict::LoadgenLimited => "use more workers, or give them more CPU.",
        Verdict::Errors => {
            "see the section on failed requests; a row with errors is no evidence of capacity."
        }
        Verdict::Overloaded => {
            "lower the rate, or add replicas: every percentile of such a row depends on the window."
        }
        Verdict::Unstable => "measure longer (duration, max_duration), or warm up longer.",
        Verdict::Imbalanced => "look at that replica, or balance requests instead of connections.",
        Verdict::Undersampled => "measure longer.",
        Verdict::Valid => "there is nothing to do.",
    }
}
