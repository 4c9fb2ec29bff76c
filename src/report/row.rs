//! The figures of one scenario as the reports show them.

use crate::events::{many, minutes};
use crate::measure::{Endpoint, Estimate, Figures, Histogram, corrected, typical_cycle_ms};
use crate::plan::Mode;
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
    /// The primary endpoint's counts, over the window.
    pub counts: Option<&'a Endpoint>,
    /// Length of the window, s.
    pub seconds: Option<f64>,
    /// Requests in the window.
    pub requests: Option<u64>,
}

impl<'a> Row<'a> {
    /// The row of a record.
    pub fn of(record: &'a Record) -> Self {
        // What measured nothing has no figures, not zeros.
        let window = record.window.as_ref().filter(|window| window.aggregated.requests > 0);
        let counts = window.and_then(|window| window.endpoint(&record.setting.primary));
        Self {
            record,
            aggregated: window.map(|window| window.aggregated.figures(window.seconds)),
            primary: counts.zip(window).map(|(counts, window)| counts.figures(window.seconds)),
            counts,
            seconds: window.map(|window| window.seconds),
            requests: window.map(|window| window.aggregated.requests),
        }
    }

    /// Whether it is of the open model.
    pub fn is_open(&self) -> bool {
        self.record.scenario.mode == Mode::Open
    }

    /// A percentile of the primary endpoint, all requests.
    pub fn estimate(&self, share: f64) -> Option<Estimate> {
        self.counts.map(|counts| Estimate::of(&counts.histogram, share))
    }

    /// The primary endpoint's P95, ms, where there are enough samples for it.
    pub fn p95(&self) -> Option<u32> {
        self.estimate(0.95).filter(Estimate::is_sampled)?.value_ms
    }

    /// In the closed model, what the primary endpoint's histogram would be had each user asked once per
    /// typical cycle, with that interval in ms.
    pub fn corrected(&self) -> Option<(Histogram, u32)> {
        let counts = self.counts.filter(|_| !self.is_open())?;
        let think_ms = self.record.course.as_ref().map_or(0.0, |course| course.think_s * 1000.0);
        let interval = typical_cycle_ms(&counts.histogram, think_ms)?;
        Some((corrected(&counts.histogram, interval), interval))
    }

    /// The point of the matrix without its repeat: `2 replicas, 4 workers, 200 users`.
    pub fn point(&self) -> String {
        let scenario = &self.record.scenario;
        let (replicas, workers) = (many(scenario.replicas, "replica"), many(scenario.workers, "worker"));
        format!("{replicas}, {workers}, {}", self.load())
    }

    /// The row by its point and its repeat, for sentences.
    pub fn name(&self) -> String {
        let scenario = &self.record.scenario;
        match (scenario.drift, scenario.repeat) {
            (true, _) => format!("{}, once more at the end", self.point()),
            (false, 1) => self.point(),
            (false, repeat) => format!("{}, repeat {repeat}", self.point()),
        }
    }

    /// `200 users`, or `50 requests/s (open)`.
    pub fn load(&self) -> String {
        let scenario = &self.record.scenario;
        match scenario.rate {
            Some(rate) => format!("{rate} requests/s (open)"),
            None => many(scenario.users, "user"),
        }
    }
}

/// One line on how a scenario ended.
pub fn summary(record: &Record) -> String {
    let row = Row::of(record);
    let figures = match (row.aggregated, row.requests, &record.window) {
        (Some(figures), Some(requests), Some(window)) => {
            let ms = |share: f64| {
                let estimate = Estimate::of(&window.aggregated.histogram, share);
                if estimate.is_sampled() { format!("{estimate} ms") } else { estimate.to_string() }
            };
            let failures = figures.failures_pct.map_or("-".to_owned(), |share| format!("{share:.2} %"));
            format!(
                "{:.1} requests/s, median {}, P95 {}, P99 {}, {failures} failed of {requests} in {}",
                figures.rps,
                ms(0.50),
                ms(0.95),
                ms(0.99),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_percentile_without_enough_samples_is_no_number() {
        let text = summary(&record(0, 1, 20, 100));
        assert_eq!(
            text,
            "5.0 requests/s, median 100 ms, P95 100 ms, P99 n/a (n<459), 0.00 % failed of 100 in 20 s"
        );
    }

    #[test]
    fn a_row_is_named_by_its_load_and_its_repeat() {
        let mut record = record(0, 1, 20, 100);
        assert_eq!(Row::of(&record).name(), "1 replica, 2 workers, 20 users");
        record.scenario.repeat = 2;
        (record.scenario.mode, record.scenario.rate) = (Mode::Open, Some(12.5));
        assert_eq!(Row::of(&record).name(), "1 replica, 2 workers, 12.5 requests/s (open), repeat 2");
        assert!(Row::of(&record).corrected().is_none(), "the open model omits nothing");
    }
}
