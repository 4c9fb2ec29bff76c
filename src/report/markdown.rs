//! `auto_summary.md`: for people who read.

mod confidence;
mod generator;
mod scenarios;
mod time;

use std::fmt::Write;

use super::repeats::{drift, points};
use super::{Exporter, Report, Row, findings};
use crate::events::minutes;
use crate::measure::percentile_name;

/// The Markdown report.
#[derive(Debug)]
pub(super) struct Markdown;

impl Exporter for Markdown {
    fn file_name(&self) -> &'static str {
        "auto_summary.md"
    }

    fn render(&self, report: &Report) -> Vec<u8> {
        let mut text = String::from("# Load test summary\n\n");
        let rows: Vec<Row<'_>> = report.records.iter().map(Row::of).collect();
        let (open, closed): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(Row::is_open);
        let points = points(&rows);
        metadata(&mut text, report);
        scenarios::closed(&mut text, &closed);
        scenarios::open(&mut text, &open);
        scenarios::verdicts(&mut text, &rows);
        section(
            &mut text,
            "Key findings",
            &findings::key_findings(&points),
            "No scenario is valid: there is nothing to cite.",
        );
        goals(&mut text, report, &findings::objective(&points));
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
        generator::workers(&mut text, &rows, &report.pairs);
        time::whole_runs(&mut text, &rows);
        time::orchestration(&mut text, &rows);
        text.into_bytes()
    }
}

fn metadata(text: &mut String, report: &Report) {
    let Some(first) = report.records.first() else {
        text.push_str("No scenario is recorded.\n\n");
        return;
    };
    let setting = &first.setting;
    let valid = report.records.iter().filter(|record| record.is_valid()).count();
    let end = report.records.iter().map(|record| record.finished_at).max().unwrap_or(first.finished_at);
    let start = report.records.iter().map(|record| record.started_at).min().unwrap_or(first.started_at);
    let took = minutes(end.duration_since(start).as_secs_f64());
    let _ = writeln!(text, "| | |\n|---|---|");
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "| {key} | {} |", value.replace('|', "\\|"));
    };
    line("Run", &first.run_id);
    line("Started", &format!("{} UTC, took {took}", start.strftime("%Y-%m-%d %H:%M:%S")));
    line("Cluster", &setting.cluster);
    line("Target", &format!("{}, primary endpoint {}", setting.target, setting.primary));
    line("Load", &setting.generator);
    for (deployment, image) in &setting.images {
        line(&format!("Image of {deployment}"), image);
    }
    line("Scenarios", &format!("{} recorded, {valid} valid", report.records.len()));
    if let Some(seed) = setting.order_seed {
        line("Order", &format!("drawn by lot, seed {seed}"));
    }
    line(
        "Percentiles",
        &format!("nearest rank, from merged histograms of {} significant digits", setting.percentile_digits),
    );
    if first.course.as_ref().is_some_and(|course| !course.exact) {
        line(
            "Caution",
            "Locust runs without the module locust_matrix.py: both ends of a window are off by up to 3 s, and \
             whether it was steady is not judged",
        );
    }
    text.push('\n');
}

/// What the service is meant to reach, and which rows do.
fn goals(text: &mut String, report: &Report, sentences: &[findings::Sentence]) {
    let goals = report.records.first().map(|record| record.objective.goals()).unwrap_or_default();
    if goals.is_empty() {
        return;
    }
    let named: Vec<_> =
        goals.iter().map(|(share, most)| format!("{} ≤ {most} ms", percentile_name(*share))).collect();
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

/// A number with so many decimals, or a dash.
fn number(value: Option<f64>, places: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.places$}"))
}

/// Whatever is shown, or a dash.
fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or("–".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
