//! The first thing that a reader sees: the answer, whether the run passes, the verdicts, the worst row, and what to do.

mod next;

use super::sentence::{form, with_full_stop};
use super::{Block, Section, Sentence, findings, objective};
use crate::events::many;
use crate::exit::ExitCode;
use crate::judge::{Answer, Check, JudgedRun, Point, Row, Verdict, checks, exit_code};
use crate::plan::{Meets, load_of};

/// Sentences of the answer that stand on the first screen; a section further down has all of them.
const MOST_SENTENCES: usize = 6;

/// The first section; the answer of a search has what each number of replicas carries.
pub(super) fn section(run: &JudgedRun<'_>, rows: &[Row<'_>], points: &[Point<'_, '_>]) -> Option<Section> {
    if rows.is_empty() {
        return None;
    }
    let answer = Answer::of(run);
    let mut facts: Vec<(String, Sentence)> = Vec::new();
    let said = answer.as_ref().map_or_else(
        || of_grid(run, points),
        |answer| vec![Sentence::about(probes(rows, answer), with_full_stop(&answer.to_string()))],
    );
    facts.push(("Question".into(), question(run)));
    let more = said.len().saturating_sub(MOST_SENTENCES);
    facts.extend(said.into_iter().take(MOST_SENTENCES).map(|sentence| ("Answer".to_owned(), sentence)));
    if more > 0 {
        facts.push((
            "Answer".into(),
            Sentence::general(format!(
                "{more} more {} in the section on the objective.",
                form(u32::try_from(more).unwrap_or(2), "stands", "stand")
            )),
        ));
    }
    facts.push(("Gate".into(), gate(run)));
    facts.push(("Verdicts".into(), verdicts(rows)));
    facts.push(("Worst row".into(), worst(rows)));
    facts.push(("Next".into(), next::step(run, rows, points)));
    facts.extend(measured(run).map(|sentence| ("Measured".into(), sentence)));
    let mut blocks = vec![Block::Facts(facts)];
    if let Some(answer) = &answer {
        let sentences = answer.found.iter().map(|found| {
            let probes = rows.iter().filter(|row| answer.has_probe(found.replicas, &row.record.scenario));
            Sentence::about(probes, format!("{found} ({} probes).", found.probes))
        });
        let sentences: Vec<_> = sentences.filter(|sentence| !sentence.rows.is_empty()).collect();
        if !sentences.is_empty() {
            blocks.push(Block::list(sentences));
        }
        let law = answer.scaling_in_words();
        blocks.extend(law.map(|law| Block::Paragraph(Sentence::about(rows, law))));
    }
    Some(Section::new("answer", "Answer", blocks))
}

/// What the run was started to find out.
fn question(run: &JudgedRun<'_>) -> Sentence {
    let objective = run.rows.first().and_then(|row| objective::in_words(&row.record.objective));
    let search = run.question().and_then(|question| question.search.as_ref());
    Sentence::general(match objective {
        Some(goals)
            if let Some((search, wanted)) = search.and_then(|search| Some((search, search.wanted?))) =>
        {
            format!("How many replicas carry {}? {goals}.", load_of(search.mode, wanted))
        }
        Some(goals) if search.is_some() => {
            format!("How much load do the replicas carry within the objective? {goals}.")
        }
        Some(goals) => format!("How many replicas meet the objective? {goals}."),
        None => {
            "How do throughput and latency change with replicas and load? There is no objective.".to_owned()
        }
    })
}

/// What was measured, with what, where and when; the last section has the rest.
fn measured(run: &JudgedRun<'_>) -> Option<Sentence> {
    let environment = &run.rows.first()?.record.environment;
    let start = run.rows.iter().map(|row| row.record.started_at).min()?;
    Some(Sentence::general(format!(
        "{} of {}, with {}; cluster: {}; begun {} UTC.",
        environment.primary,
        environment.target,
        environment.generator,
        environment.cluster,
        start.strftime("%Y-%m-%d %H:%M")
    )))
}

/// The rows that the answer of a search rests on.
fn probes<'r, 'a>(rows: &'r [Row<'a>], answer: &Answer) -> Vec<&'r Row<'a>> {
    match &answer.confirmation {
        Some(one) => rows.iter().filter(|row| one.scenarios.contains(&row.record.scenario.id)).collect(),
        None => rows.iter().collect(),
    }
}

/// What a fixed list of scenarios shows.
fn of_grid(run: &JudgedRun<'_>, points: &[Point<'_, '_>]) -> Vec<Sentence> {
    if objective::has_goals(run) {
        return objective::outcomes(points);
    }
    let best = findings::best_of_all(points);
    if best.is_empty() { vec![Sentence::general("None: no row is valid.")] } else { best }
}

/// Whether the run passes, how many goals are met, and the first check that is not.
fn gate(run: &JudgedRun<'_>) -> Sentence {
    let (code, reasons) = exit_code(run);
    let gated: Vec<&Check> = checks(run).iter().filter(|check| check.is_gated).collect();
    let failed = run.rows.iter().filter(|row| row.has_failed());
    let mut rows: Vec<String> = failed.map(|row| row.record.scenario.id.clone()).collect();
    let mut said = vec![match code {
        ExitCode::Success => format!("passed (exit code {})", code as i32),
        _ => format!("FAILED (exit code {})", code as i32),
    }];
    if !rows.is_empty() {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let verdicts =
            each_verdict(run.rows.iter().filter(|row| row.has_failed()).map(|row| row.judgement.verdict));
        said.push(format!("{} cannot be judged ({verdicts})", many(count, "scenario")));
    }
    if gated.is_empty() {
        let has_none = checks(run).is_empty();
        said.push(if has_none { "there is no objective" } else { "no row is selected by --gate" }.to_owned());
    } else {
        let count = |meets| gated.iter().filter(|check| check.meets == meets).count();
        said.push(format!(
            "of {}, {} met, {} missed, {} unknown",
            many(u32::try_from(gated.len()).unwrap_or(u32::MAX), "goal"),
            count(Meets::Met),
            count(Meets::Missed),
            count(Meets::Unknown)
        ));
    }
    said.extend(reasons.first().map(|reason| format!("first reason: {reason}")));
    let open = gated.into_iter().filter(|check| check.meets != Meets::Met);
    rows.extend(open.flat_map(|check| check.scenarios.clone()));
    dedup(&mut rows);
    Sentence { text: with_full_stop(&said.join("; ")), rows }
}

fn dedup(rows: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|row| seen.insert(row.clone()));
}

/// `20 SUCCESS, 2 VOID, 1 FAILED`
fn each_verdict(verdicts: impl Iterator<Item = Verdict>) -> String {
    let mut all: Vec<Verdict> = verdicts.collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let each = all.chunk_by(|a, b| a == b);
    let each = each.filter_map(|same| Some(format!("{} {}", same.len(), same.first()?.status())));
    each.collect::<Vec<_>>().join(", ")
}

/// How many rows have each verdict; it cites the rows that are not valid.
fn verdicts(rows: &[Row<'_>]) -> Sentence {
    let each = each_verdict(rows.iter().map(|row| row.judgement.verdict));
    let text = format!("{each} of {} rows.", rows.len());
    Sentence::about(rows.iter().filter(|row| !row.is_valid()), text)
}

/// The row with the worst verdict and its reason; if all are valid, the slowest one.
fn worst(rows: &[Row<'_>]) -> Sentence {
    let invalid = rows.iter().filter(|row| !row.is_valid()).min_by_key(|row| row.judgement.verdict);
    if let Some(row) = invalid {
        let reasons = row.judgement.reasons.join("; ");
        let text = format!("{}: {}: {reasons}", row.name(), row.judgement.verdict.status());
        return Sentence::about([row], with_full_stop(&text));
    }
    match rows.iter().max_by(|a, b| a.compare_p95(b)) {
        Some(row) => {
            let p95 = row.p95_in_ms().map_or("no P95".to_owned(), |p95| format!("P95 {p95} ms"));
            Sentence::about([row], format!("All rows are valid. The slowest is {}: {p95}.", row.name()))
        }
        None => Sentence::general("None."),
    }
}
