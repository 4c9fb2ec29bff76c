//! `auto_summary.md`: for people who read.

use std::fmt::Write;

use super::{Exporter, Report, Row, findings};
use crate::events::minutes;

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
        metadata(&mut text, report);
        table(&mut text, &rows);
        section(
            &mut text,
            "Key findings",
            &findings::key_findings(&rows),
            "No scenario is valid: there is nothing to cite.",
        );
        section(
            &mut text,
            "Performance recommendations",
            &findings::performance(&rows),
            "No two valid scenarios differ in replicas alone.",
        );
        section(
            &mut text,
            "Latency advice",
            &findings::latency(&rows),
            "No step in users raised P95 without raising throughput.",
        );
        orchestration(&mut text, &rows);
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
    line("Load", &format!("{}, closed model (each user waits for its answer)", setting.generator));
    for (deployment, image) in &setting.images {
        line(&format!("Image of {deployment}"), image);
    }
    line("Scenarios", &format!("{} recorded, {valid} valid", report.records.len()));
    line(
        "Percentiles",
        &format!("nearest rank, from merged histograms of {} significant digits", setting.percentile_digits),
    );
    text.push('\n');
}

fn table(text: &mut String, rows: &[Row<'_>]) {
    text.push_str("## Scenarios\n\n");
    text.push_str("Each row covers its window: after every user had started, before the stop. The primary endpoint's figures stand beside those of all endpoints together (the CSV has the latter).\n\n");
    text.push_str("| Replicas | Workers | Users | Status | Primary requests/s | Median ms | P95 ms | P99 ms | All requests/s | Failed % | Requests | Window s | Worker CPU % |\n");
    text.push_str("|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let scenario = &row.record.scenario;
        let ms = |value: Option<u32>| value.map_or("–".to_owned(), |value| value.to_string());
        let number = |value: Option<f64>, places: usize| {
            value.map_or("–".to_owned(), |value| format!("{value:.places$}"))
        };
        let cpu = row.record.workers.iter().map(|worker| worker.cpu_percent).reduce(f64::max);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            scenario.replicas,
            scenario.workers,
            scenario.users,
            row.record.verdict.judgement.status(),
            number(row.primary.map(|f| f.rps), 1),
            ms(row.primary.and_then(|f| f.p50_ms)),
            ms(row.primary.and_then(|f| f.p95_ms)),
            ms(row.primary.and_then(|f| f.p99_ms)),
            number(row.aggregated.map(|f| f.rps), 1),
            number(row.aggregated.and_then(|f| f.failures_pct), 2),
            row.requests.map_or("–".to_owned(), |requests| requests.to_string()),
            number(row.seconds, 2),
            number(cpu, 0),
        );
    }
    text.push('\n');
    let reasons = rows.iter().filter(|row| !row.record.verdict.reasons.is_empty());
    for row in reasons {
        let _ = writeln!(text, "- {}: {}.", row.point(), row.record.verdict.reasons.join("; "));
    }
    whole_runs(text, rows);
}

/// What each scenario's time was spent on; all but ramp, warm-up, window and the stop inside the cooldown
/// is the harness's own.
fn orchestration(text: &mut String, rows: &[Row<'_>]) {
    text.push_str("## Where the time went\n\nSeconds per phase. Getting ready and cutting are the harness's own; the stop is inside the cooldown.\n\n");
    text.push_str(
        "| Replicas | Workers | Users | Getting ready | Ramp and warm-up | Cutting | Window | Stop |\n",
    );
    text.push_str("|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let scenario = &row.record.scenario;
        let seconds = |phases: &[&str]| {
            let known = phases.iter().filter_map(|phase| row.record.timings_ms.get(*phase));
            known
                .copied()
                .reduce(|a, b| a + b)
                .map_or("–".to_owned(), |ms| format!("{:.2}", ms as f64 / 1000.0))
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            scenario.replicas,
            scenario.workers,
            scenario.users,
            seconds(&["scale", "ready"]),
            seconds(&["ramp", "warmup"]),
            seconds(&["open", "close"]),
            seconds(&["window"]),
            seconds(&["drain"]),
        );
    }
    text.push('\n');
}

/// The figures over everything, ramp included, the way the first reports gave them.
fn whole_runs(text: &mut String, rows: &[Row<'_>]) {
    text.push_str("\n## Whole runs\n\nFrom the first request of the ramp to the last answer after the stop, with each replica's own count of the same requests.\n\n");
    text.push_str("| Replicas | Workers | Users | Requests | Failed | Requests/s | P95 ms | Replicas' own counts |\n|---:|---:|---:|---:|---:|---:|---:|---|\n");
    for row in rows {
        let Some(whole) = &row.record.whole_run else {
            continue;
        };
        let figures = whole.aggregated.figures(whole.seconds);
        let own: Vec<String> = row
            .record
            .replicas
            .iter()
            .map(|replica| {
                replica
                    .requests
                    .as_ref()
                    .map_or("?".to_owned(), |counts| counts.values().sum::<u64>().to_string())
            })
            .collect();
        let scenario = &row.record.scenario;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.1} | {} | {} |",
            scenario.replicas,
            scenario.workers,
            scenario.users,
            whole.aggregated.requests,
            whole.aggregated.failures,
            figures.rps,
            figures.p95_ms.map_or("–".to_owned(), |value| value.to_string()),
            own.join(" + "),
        );
    }
    text.push('\n');
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use crate::record::{Judgement, Verdict};

    fn render(records: &[crate::record::Record]) -> String {
        String::from_utf8(Markdown.render(&Report::of(records))).unwrap()
    }

    #[test]
    fn findings_cite_valid_rows_only() {
        let mut void = record(1, 2, 20, 9000);
        void.verdict = Verdict::of(Judgement::Void, "a replica is gone");
        let text = render(&[record(0, 1, 20, 800), void]);
        assert!(
            text.contains("Best throughput: 40.0 requests/s with 1 replica, 2 workers, 20 users."),
            "{text}"
        );
        assert!(text.contains("- 2 replicas, 2 workers, 20 users: a replica is gone."), "{text}");
        assert!(text.contains("| 1 | 2 | 20 | 1.20 | – | – | – | – |"), "{text}");
        assert!(text.contains("No two valid scenarios differ in replicas alone."), "{text}");
    }

    #[test]
    fn replicas_are_compared_where_nothing_else_differs() {
        let text = render(&[record(0, 1, 20, 800), record(1, 2, 20, 1600)]);
        assert!(
            text.contains(
                "1 → 2 replicas gives 40.0 → 80.0 requests/s (× 2.00 for × 2.00 replicas); the service scales"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_run_without_records_says_so() {
        assert!(render(&[]).contains("No scenario is recorded."));
    }
}
