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

/// The rows of one verdict. Rows with the same reasons share a sentence. The next step is in the lead if all of them have
/// the same one, else behind the reasons that it is for.
fn list(rows: &[Row<'_>], verdict: Verdict) -> Block {
    let of_verdict = || rows.iter().filter(|row| row.judgement.verdict == verdict);
    let next_step = |row: &Row<'_>| row.judgement.next_step().unwrap_or("there is nothing to do");
    let mut steps: Vec<_> = of_verdict().map(next_step).collect();
    steps.sort_unstable();
    steps.dedup();
    let shared = steps.first().filter(|_| steps.len() == 1);
    let mut groups: Vec<(String, Vec<&Row<'_>>)> = Vec::new();
    for row in of_verdict() {
        let attempt = match row.record.attempt {
            1 => String::new(),
            attempt => format!(" (attempt {attempt})"),
        };
        let mut said = with_full_stop(&format!("{attempt}: {}", row.judgement.reasons.join("; ")));
        if shared.is_none() {
            said = format!("{said} Next: {}.", next_step(row));
        }
        match groups.iter_mut().find(|(known, _)| *known == said) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((said, vec![row])),
        }
    }
    let items = groups.into_iter().map(|(said, rows)| {
        let names: Vec<_> = rows.iter().map(|row| row.name()).collect();
        Sentence::about(rows, format!("{}{said}", names.join("; ")))
    });
    let lead = shared.copied().unwrap_or("the next step stands with each row");
    Block::led(format!("{}: {lead}.", verdict.status()), items.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;
    use records::{Unmeasured, UnmeasuredKind};

    #[test]
    fn each_reason_has_its_own_next_step() {
        let failed = |index, kind, why: &str| {
            let mut failed = record(index, 1, 20, 800);
            failed.window = None;
            failed.unmeasured = Some(Unmeasured::new(kind, why));
            failed
        };
        let records = [
            failed(0, UnmeasuredKind::ScriptEnds, "6 users ended by themselves"),
            failed(1, UnmeasuredKind::NotReady, "inference is not ready after 30 s"),
        ];
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let Block::Sentences { lead, items } = list(&rows, Verdict::Failed) else { panic!("a list") };
        assert_eq!(lead.unwrap().text, "FAILED: the next step stands with each row.");
        assert!(items[0].text.contains("ended by themselves. Next: change the locustfile"), "{items:?}");
        assert!(items[1].text.contains("after 30 s. Next: look at the service's pods"), "{items:?}");
        // Where all rows have the same next step, it is given once.
        let Block::Sentences { lead, items } = list(&rows[..1], Verdict::Failed) else { panic!("a list") };
        assert!(lead.unwrap().text.starts_with("FAILED: change the locustfile"), "{items:?}");
        assert!(!items[0].text.contains("Next:"), "{items:?}");
    }
}
