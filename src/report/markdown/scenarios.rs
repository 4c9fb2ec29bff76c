//! The tables of all scenarios, the two models apart, and their verdicts.

use std::fmt::Write;

use super::{number, shown};
use crate::judge::{Row, Verdict};

pub(super) fn closed(text: &mut String, rows: &[Row<'_>]) {
    if rows.is_empty() {
        return;
    }
    text.push_str("## Scenarios: closed model\n\nEach user waits for its answer before it asks again. Each row covers its window: after every user had started, from when the figures were steady, before the stop. The primary endpoint's figures stand beside those of all endpoints together (the CSV has the latter).\n\n");
    text.push_str("| Replicas | Workers | Users | Status | Primary requests/s | Median ms | P95 ms | P99 ms | All requests/s | Failed % | Requests | Window s |\n");
    text.push_str("|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let users = row.record.scenario.users.to_string();
        line(text, row, &users, &[]);
    }
    text.push('\n');
}

pub(super) fn open(text: &mut String, rows: &[Row<'_>]) {
    if rows.is_empty() {
        return;
    }
    text.push_str("## Scenarios: open model\n\nRequests arrive at a rate, whether the earlier ones are answered or not; latency counts from when each was due. Late is what was started more than 10 ms after that, skipped what was never started: no user of the pool was free.\n\n");
    text.push_str("| Replicas | Workers | Rate/s | Status | Primary requests/s | Median ms | P95 ms | P99 ms | All requests/s | Failed % | Requests | Window s | Users at most | Due | Late | Skipped | Latest start ms |\n");
    text.push_str("|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let scenario = &row.record.scenario;
        let counts = row.record.open;
        let more = [
            scenario.users.to_string(),
            shown(counts.map(|counts| counts.due)),
            shown(counts.map(|counts| counts.late)),
            shown(counts.map(|counts| counts.skipped)),
            number(counts.map(|counts| counts.late_max_ms), 0),
        ];
        line(text, row, &shown(scenario.rate), &more);
    }
    text.push('\n');
}

fn line(text: &mut String, row: &Row<'_>, load: &str, more: &[String]) {
    let scenario = &row.record.scenario;
    let percentile = |share| shown(row.estimate(share));
    let cells = [
        scenario.replicas.to_string(),
        scenario.workers.to_string(),
        load.to_owned(),
        row.judgement.verdict.status().to_owned(),
        number(row.primary.map(|f| f.rps), 1),
        percentile(0.50),
        percentile(0.95),
        percentile(0.99),
        number(row.aggregated.map(|f| f.rps), 1),
        number(row.aggregated.and_then(|f| f.failures_pct), 2),
        shown(row.requests),
        number(row.seconds, 2),
    ];
    let _ = writeln!(text, "| {} |", [&cells[..], more].concat().join(" | "));
}

/// Each row that is not valid, with every reason.
pub(super) fn verdicts(text: &mut String, rows: &[Row<'_>]) {
    let with_reasons: Vec<_> = rows.iter().filter(|row| !row.judgement.reasons.is_empty()).collect();
    if with_reasons.is_empty() {
        return;
    }
    text.push_str("## Verdicts\n\nRows that are not named here are valid. Findings and recommendations cite valid rows only.\n\n");
    for row in with_reasons {
        let judgement = row.judgement;
        let attempt = match row.record.attempt {
            1 => String::new(),
            attempt => format!(" (attempt {attempt})"),
        };
        let next = next_step(judgement.verdict);
        let reasons = judgement.reasons.join("; ");
        let _ =
            writeln!(text, "- {}: {}{attempt}: {reasons}. {next}", row.name(), judgement.verdict.status());
    }
    text.push('\n');
}

/// What to do about it.
const fn next_step(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failed => "Look at the service's and Locust's logs.",
        Verdict::Void => "See why the pods changed: kubectl get events.",
        Verdict::Infeasible => "Sweep fewer replicas, ask for less per pod, or add nodes.",
        Verdict::LoadgenLimited => "Use more workers, or give them more CPU.",
        Verdict::Unstable => "Measure longer (duration, max_duration), or warm up longer.",
        Verdict::Imbalanced => "Look at that replica, or balance requests instead of connections.",
        Verdict::Undersampled => "Measure longer.",
        Verdict::Valid => "",
    }
}
