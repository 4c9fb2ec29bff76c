//! What happened between two snapshots of growing counts.

use serde::{Deserialize, Serialize};

use super::Histogram;

/// The counts of one endpoint, since the load was started or within a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// HTTP method; empty for all endpoints together.
    pub method: String,
    /// The name in Locust's statistics; `Aggregated` for all endpoints together.
    pub name: String,
    /// Finished requests, failures included.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Sum of all response times, ms.
    pub total_ms: f64,
    /// Response times of all requests, failures included. In the open model they count from when the
    /// request was due, so that the time it waited for a free user is in them.
    pub histogram: Histogram,
    /// Response times of the successful requests alone, counted in the same way.
    #[serde(default)]
    pub succeeded: Histogram,
    /// In the open model, response times of all requests from when they were really sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_send: Option<Histogram>,
}

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

/// The counts between two cuts, with their distance in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Length, s: the mean over the workers' own clocks.
    pub seconds: f64,
    /// How far apart the workers were cut, ms (the larger of both ends).
    pub cut_spread_ms: f64,
    /// All endpoints together.
    pub aggregated: Endpoint,
    /// Every endpoint.
    pub endpoints: Vec<Endpoint>,
}

impl Endpoint {
    /// `METHOD name`, the way a configuration names it.
    pub fn label(&self) -> String {
        if self.method.is_empty() { self.name.clone() } else { format!("{} {}", self.method, self.name) }
    }

    /// What came after `earlier`; all of it where there is no earlier one.
    #[must_use]
    pub fn since(&self, earlier: Option<&Self>) -> Self {
        let Some(earlier) = earlier else {
            return self.clone();
        };
        Self {
            method: self.method.clone(),
            name: self.name.clone(),
            requests: self.requests.saturating_sub(earlier.requests),
            failures: self.failures.saturating_sub(earlier.failures),
            total_ms: (self.total_ms - earlier.total_ms).max(0.0),
            histogram: self.histogram.since(&earlier.histogram),
            succeeded: self.succeeded.since(&earlier.succeeded),
            from_send: self.from_send.as_ref().map(|later| match &earlier.from_send {
                Some(before) => later.since(before),
                None => later.clone(),
            }),
        }
    }

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

impl Window {
    /// The endpoint of that label, such as `POST /predict`.
    pub fn endpoint(&self, label: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.label() == label)
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
