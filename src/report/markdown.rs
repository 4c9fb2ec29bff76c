//! `auto_summary.md`: for people who read.

mod confidence;
mod generator;
mod scenarios;
mod time;

use std::fmt::Write;

use super::{Exporter, findings};
use crate::events::minutes;
use crate::judge::{JudgedRun, Row, drift, points};
use crate::measure::percentile_name;

/// The Markdown report.
#[derive(Debug)]
pub(super) struct Markdown;

impl Exporter for Markdown {
    fn file_name(&self) -> &'static str {
        "auto_summary.md"
    }

    fn render(&self, run: &JudgedRun<'_>) -> Vec<u8> {
        let mut text = String::from("# Load test summary\n\n");
        let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
        let (open, closed): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(Row::is_open);
        let points = points(&rows);
        metadata(&mut text, run);
        scenarios::closed(&mut text, &closed);
        scenarios::open(&mut text, &open);
        scenarios::verdicts(&mut text, &rows);
        section(
            &mut text,
            "Key findings",
            &findings::key_findings(&points),
            "No scenario is valid: there is nothing to cite.",
        );
        goals(&mut text, run, &findings::objective(&points));
        section(
            &mut text,
            "Performance recommendations",
            &findings::performance(&points),
            "No two valid scenarios differ in replicas alone.",
        );
        section(
            &mut text,
            "Latency advice",
            &findings::latency(&points),
            "No step in users raised P95 without raising throughput.",
        );
        confidence::repeats(&mut text, &points, drift(&rows));
        confidence::percentiles(&mut text, &rows);
        confidence::all_and_successful(&mut text, &closed, &open);
        generator::workers(&mut text, &rows, &run.worker_pairs);
        time::whole_runs(&mut text, &rows);
        time::orchestration(&mut text, &rows);
        text.into_bytes()
    }
}

fn metadata(text: &mut String, run: &JudgedRun<'_>) {
    let Some(first) = run.rows.first().map(|row| row.record) else {
        text.push_str("No scenario is recorded.\n\n");
        return;
    };
    let environment = &first.environment;
    let valid = run.valid();
    let end = run.rows.iter().map(|row| row.record.finished_at).max().unwrap_or(first.finished_at);
    let start = run.rows.iter().map(|row| row.record.started_at).min().unwrap_or(first.started_at);
    let took = minutes(end.duration_since(start).as_secs_f64());
    let _ = writeln!(text, "| | |\n|---|---|");
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "| {key} | {} |", value.replace('|', "\\|"));
    };
    line("Run", &first.run_id);
    line("Started", &format!("{} UTC, took {took}", start.strftime("%Y-%m-%d %H:%M:%S")));
    line("Cluster", &environment.cluster);
    line("Target", &format!("{}, primary endpoint {}", environment.target, environment.primary));
    line("Load", &environment.generator);
    for (deployment, image) in &environment.images {
        line(&format!("Image of {deployment}"), image);
    }
    line("Scenarios", &format!("{} recorded, {valid} valid", run.rows.len()));
    if let Some(seed) = environment.order_seed {
        line("Order", &format!("drawn by lot, seed {seed}"));
    }
    line(
        "Percentiles",
        &format!(
            "nearest rank, from merged histograms of {} significant digits",
            environment.percentile_digits
        ),
    );
    if first.stopping_rule.as_ref().is_some_and(|rule| !rule.exact) {
        line(
            "Caution",
            "Locust runs without the module locust_matrix.py: both ends of a window are off by up to 3 s, and \
             whether it was steady is not judged",
        );
    }
    text.push('\n');
}

/// What the service is meant to reach, and which rows do.
fn goals(text: &mut String, run: &JudgedRun<'_>, sentences: &[findings::Sentence]) {
    let goals = run.rows.first().map(|row| row.record.objective.goals()).unwrap_or_default();
    if goals.is_empty() {
        return;
    }
    let named: Vec<_> =
        goals.iter().map(|(quantile, most)| format!("{} ≤ {most} ms", percentile_name(*quantile))).collect();
    let title = format!("Objective: {}", named.join(", "));
    section(text, &title, sentences, "No scenario is valid: there is nothing to say about it.");
}

fn section(text: &mut String, title: &str, sentences: &[findings::Sentence], otherwise: &str) {
    let _ = writeln!(text, "## {title}\n");
    if sentences.is_empty() {
        let _ = writeln!(text, "{otherwise}\n");
        return;
    }
    for sentence in sentences {
        let _ = writeln!(text, "- {sentence}");
    }
    text.push('\n');
}

/// A number with `places` decimals, or a dash.
fn number(value: Option<f64>, places: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.places$}"))
}

/// A value, or a dash.
fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or("–".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
