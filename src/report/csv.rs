//! `auto_summary.csv`: the table that existing scripts read, whose header never changes. Open-model rows
//! have a file of their own, `auto_summary_open.csv`.

use std::fmt::Write;

use records::{Mode, ms};

use super::Exporter;
use crate::judge::{JudgedRun, Row};

/// The CSV of all scenarios of one model; all columns are of all endpoints together, over the window. What
/// was not measured is empty, never 0.
#[derive(Debug)]
pub(super) struct Csv(pub Mode);

const CLOSED: &str = "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status";
/// The same but for the load: a rate is no number of users, and has a column of its own.
const OPEN: &str = "Replicas,Workers,Rate,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status";

impl Exporter for Csv {
    fn file_name(&self) -> &'static str {
        match self.0 {
            Mode::Closed => "auto_summary.csv",
            Mode::Open => "auto_summary_open.csv",
        }
    }

    fn render(&self, run: &JudgedRun<'_>) -> Vec<u8> {
        let header = match self.0 {
            Mode::Closed => CLOSED,
            Mode::Open => OPEN,
        };
        let mut text = format!("{header}\n");
        for judged in run.rows.iter().filter(|row| row.record.scenario.mode == self.0) {
            let (row, record) = (Row::of(judged), judged.record);
            let figures = row.aggregated;
            let scenario = &record.scenario;
            // No field can hold a comma or a quote: all are numbers, a time and a fixed word.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{},{}",
                scenario.replicas,
                scenario.workers,
                scenario.rate.unwrap_or_else(|| f64::from(scenario.users)),
                decimals(figures.map(|f| f.rps), 2),
                latency(figures.and_then(|f| f.p50_us)),
                latency(figures.and_then(|f| f.p95_us)),
                latency(figures.and_then(|f| f.p99_us)),
                decimals(figures.and_then(|f| f.failures_pct), 2),
                row.requests.map(|requests| requests.to_string()).unwrap_or_default(),
                decimals(row.seconds, 3),
                record.finished_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                row.judgement.verdict.status(),
            );
        }
        text.into_bytes()
    }
}

fn decimals(value: Option<f64>, places: usize) -> String {
    value.map(|value| format!("{value:.places$}")).unwrap_or_default()
}

/// A response time in µs as ms with three significant digits.
fn latency(us: Option<u64>) -> String {
    us.map(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use records::{Record, Unmeasured, UnmeasuredKind};

    fn render(mode: Mode, records: &[Record]) -> String {
        String::from_utf8(Csv(mode).render(&JudgedRun::of(records))).unwrap()
    }

    #[test]
    fn the_table_is_exact() {
        let mut failed = record(1, 1, 40, 0);
        failed.window = None;
        failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"));
        assert_eq!(
            render(Mode::Closed, &[failed, record(0, 1, 20, 801)]),
            "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status\n\
             1,2,20,40.05,100,100,100,0.00,801,20.000,2023-11-14T22:13:50Z,SUCCESS\n\
             1,2,40,,,,,,,,2023-11-14T22:13:50Z,FAILED\n"
        );
    }

    #[test]
    fn models_never_share_a_table() {
        let mut open = record(1, 1, 40, 801);
        (open.scenario.mode, open.scenario.rate) = (Mode::Open, Some(12.5));
        let records = [record(0, 1, 20, 801), open];
        assert_eq!(render(Mode::Closed, &records).lines().count(), 2);
        assert_eq!(
            render(Mode::Open, &records),
            "Replicas,Workers,Rate,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status\n\
             1,2,12.5,40.05,100,100,100,0.00,801,20.000,2023-11-14T22:13:50Z,SUCCESS\n"
        );
    }

    #[test]
    fn few_samples_are_a_plain_number_here() {
        assert!(render(Mode::Closed, &[record(0, 1, 20, 30)]).contains(",100,100,100,0.00,30,"));
    }
}
