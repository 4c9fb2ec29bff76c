//! The figures of one scenario as the reports show them.

use crate::events::minutes;
use crate::measure::Figures;
use crate::record::Record;

/// One scenario's row.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its record.
    pub record: &'a Record,
    /// All endpoints together, over the window.
    pub aggregated: Option<Figures>,
    /// The primary endpoint, over the window.
    pub primary: Option<Figures>,
    /// Length of the window, s.
    pub seconds: Option<f64>,
    /// Requests in the window.
    pub requests: Option<u64>,
}

impl<'a> Row<'a> {
    /// The row of a record.
    pub fn of(record: &'a Record) -> Self {
        let window = record.window.as_ref();
        let primary =
            window.and_then(|window| Some((window.endpoint(&record.setting.primary)?, window.seconds)));
        Self {
            record,
            aggregated: window.map(|window| window.aggregated.figures(window.seconds)),
            primary: primary.map(|(endpoint, seconds)| endpoint.figures(seconds)),
            seconds: window.map(|window| window.seconds),
            requests: window.map(|window| window.aggregated.requests),
        }
    }

    /// `2 replicas, 4 workers, 200 users`, for sentences.
    pub fn point(&self) -> String {
        let scenario = &self.record.scenario;
        format!(
            "{}, {}, {}",
            many(scenario.replicas, "replica"),
            many(scenario.workers, "worker"),
            many(scenario.users, "user")
        )
    }
}

/// `1 replica`, `2 replicas`.
pub fn many(count: u32, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// One line on how a scenario ended.
pub fn summary(record: &Record) -> String {
    let row = Row::of(record);
    let figures = match (row.aggregated, row.requests) {
        (Some(figures), Some(requests)) => {
            let ms = |value: Option<u32>| value.map_or("-".to_owned(), |value| format!("{value} ms"));
            let failures = figures.failures_pct.map_or("-".to_owned(), |share| format!("{share:.2} %"));
            format!(
                "{:.1} requests/s, median {}, P95 {}, P99 {}, {failures} failed of {requests} in {}",
                figures.rps,
                ms(figures.p50_ms),
                ms(figures.p95_ms),
                ms(figures.p99_ms),
                minutes(row.seconds.unwrap_or_default()),
            )
        }
        _ => "nothing was measured".to_owned(),
    };
    if record.verdict.reasons.is_empty() {
        figures
    } else {
        format!("{} ({figures})", record.verdict.reasons.join("; "))
    }
}
