//! A short Markdown summary, for the pages of CI. GitHub takes 1 MiB at most, so that it is cut there.

use std::fmt::Write;

use super::document::first_facts;
use super::markdown::escape;
use super::visible::shortened;
use crate::judge::{Check, JudgedRun, Row, checks, of_the_whole_run};
use crate::plan::Meets;

/// The summary is never longer than this, in bytes: half of what GitHub takes, because others write to the same page.
const MOST_BYTES: usize = 512 * 1024;

/// A fact is never longer than this, in characters: a reason may quote what a service answered.
const MOST_OF_A_FACT: usize = 600;

/// The bytes of the file.
pub(super) fn render(run: &JudgedRun<'_>) -> Vec<u8> {
    let mut lines = vec!["# Load test".to_owned(), String::new()];
    lines.push(format!("{} scenarios recorded, {} valid.", run.rows.len(), run.valid()));
    lines.push(String::new());
    lines.extend(
        of_the_whole_run(run)
            .iter()
            .map(|reason| format!("- {}", escape(&shortened(reason, MOST_OF_A_FACT)))),
    );
    let facts = first_facts(run).into_iter();
    lines.extend(facts.map(|(name, sentence)| {
        format!("- **{name}:** {}", escape(&shortened(&sentence.text, MOST_OF_A_FACT)))
    }));
    let checks = checks(run);
    if !checks.is_empty() {
        lines.extend(["", "| what | goal | outcome | figure |", "|---|---|---|---|"].map(str::to_owned));
        lines.extend(checks.iter().map(check));
    }
    lines.extend(
        ["", "| scenario | status | successful requests/s | P95 ms |", "|---|---|---:|---:|"]
            .map(str::to_owned),
    );
    lines.extend(run.rows.iter().map(|judged| scenario(&Row::of(judged))));
    joined(lines).into_bytes()
}

fn check(check: &Check) -> String {
    let outcome = match (check.meets, check.is_gated) {
        (Meets::Met, _) => "met",
        (Meets::Missed, true) => "**missed**",
        (Meets::Missed, false) => "missed (not gated)",
        (Meets::Unknown, true) => "unknown",
        (Meets::Unknown, false) => "unknown (not gated)",
    };
    format!(
        "| {} | {} | {outcome} | {} |",
        escape(&check.subject),
        escape(&check.goal),
        escape(&check.detail)
    )
}

fn scenario(row: &Row<'_>) -> String {
    let rps = row.primary.map_or(String::new(), |figures| format!("{:.1}", figures.goodput));
    let p95 = row.p95_in_ms().unwrap_or_default();
    format!("| {} | {} | {rps} | {p95} |", escape(&row.name()), row.judgement.verdict.status())
}

/// The lines up to the limit, and how many are left out. A String takes everything that is written to it.
fn joined(lines: Vec<String>) -> String {
    let mut text = String::new();
    let count = lines.len();
    for (at, line) in lines.into_iter().enumerate() {
        if text.len() + line.len() > MOST_BYTES {
            let _ = writeln!(text, "\n{} more lines are in auto_summary.md.", count - at);
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
