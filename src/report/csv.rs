//! `auto_summary.csv`: the table that existing scripts read. Its header never changes.

use std::fmt::Write;

use super::{Exporter, Report, Row};

/// The CSV of all scenarios; all columns are of all endpoints together, over the window. What was
/// not measured is empty, never 0.
#[derive(Debug)]
pub(super) struct Csv;

const HEADER: &str = "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status";

impl Exporter for Csv {
    fn file_name(&self) -> &'static str {
        "auto_summary.csv"
    }

    fn render(&self, report: &Report) -> Vec<u8> {
        let mut text = format!("{HEADER}\n");
        for record in &report.records {
            let row = Row::of(record);
            let figures = row.aggregated;
            let scenario = &record.scenario;
            // No field can hold a comma or a quote: all are numbers, a time and a fixed word.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{},{}",
                scenario.replicas,
                scenario.workers,
                scenario.users,
                decimals(figures.map(|f| f.rps), 2),
                whole(figures.and_then(|f| f.p50_ms)),
                whole(figures.and_then(|f| f.p95_ms)),
                whole(figures.and_then(|f| f.p99_ms)),
                decimals(figures.and_then(|f| f.failures_pct), 2),
                row.requests.map(|requests| requests.to_string()).unwrap_or_default(),
                decimals(row.seconds, 3),
                record.finished_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                record.verdict.judgement.status(),
            );
        }
        text.into_bytes()
    }
}

fn decimals(value: Option<f64>, places: usize) -> String {
    value.map(|value| format!("{value:.places$}")).unwrap_or_default()
}

fn whole(value: Option<u32>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use crate::record::{Judgement, Verdict};

    #[test]
    fn the_table_is_exact() {
        let mut failed = record(1, 1, 40, 0);
        failed.window = None;
        failed.verdict = Verdict::of(Judgement::Failed, "the service crashes");
        let text = String::from_utf8(Csv.render(&Report::of(&[failed, record(0, 1, 20, 801)]))).unwrap();
        assert_eq!(
            text,
            "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status\n\
             1,2,20,40.05,100,100,100,0.00,801,20.000,2023-11-14T22:13:50Z,SUCCESS\n\
             1,2,40,,,,,,,,2023-11-14T22:13:50Z,FAILED\n"
        );
    }
}
