//! Counts as the figures that people read.

use serde::{Deserialize, Serialize};

use super::Endpoint;

/// The figures of one endpoint over a window, as the reports show them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Finished requests per second.
    pub rps: f64,
    /// Mean response time, ms.
    pub mean_ms: Option<f64>,
    /// Median response time, ms.
    pub p50_ms: Option<u32>,
    /// 90th percentile, ms.
    pub p90_ms: Option<u32>,
    /// 95th percentile, ms.
    pub p95_ms: Option<u32>,
    /// 99th percentile, ms.
    pub p99_ms: Option<u32>,
    /// Longest response time, ms, as its bucket.
    pub max_ms: Option<u32>,
    /// Share of failed requests, %.
    pub failures_pct: Option<f64>,
}

impl Endpoint {
    /// The figures over `seconds`.
    pub fn figures(&self, seconds: f64) -> Figures {
        let requests = self.requests as f64;
        let measured = self.requests > 0;
        Figures {
            rps: if seconds > 0.0 { requests / seconds } else { 0.0 },
            mean_ms: measured.then(|| self.total_ms / requests),
            p50_ms: self.histogram.percentile(0.50),
            p90_ms: self.histogram.percentile(0.90),
            p95_ms: self.histogram.percentile(0.95),
            p99_ms: self.histogram.percentile(0.99),
            max_ms: self.histogram.max(),
            failures_pct: measured.then(|| 100.0 * self.failures as f64 / requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let figures = Endpoint::default().figures(20.0);
        assert_eq!((figures.p95_ms, figures.failures_pct, figures.mean_ms), (None, None, None));
    }

    #[test]
    fn rps_times_seconds_is_the_number_of_requests() {
        let endpoint =
            Endpoint { requests: 801, failures: 40, total_ms: 801.0 * 50.0, ..Endpoint::default() };
        let figures = endpoint.figures(20.03);
        assert!((figures.rps * 20.03 - 801.0).abs() < 1e-9);
        assert_eq!(figures.mean_ms, Some(50.0));
        assert!((figures.failures_pct.unwrap() - 4.993_757_8).abs() < 1e-6);
    }
}
