//! Counts as the figures that people read.

use records::Endpoint;

/// The figures of one endpoint over a window, as the reports show them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Finished requests per second, failures included.
    pub rps: f64,
    /// Successful requests per second.
    pub goodput: f64,
    /// Mean response time, ms.
    pub mean_ms: Option<f64>,
    /// Median response time, µs.
    pub p50_us: Option<u64>,
    /// 90th percentile, µs.
    pub p90_us: Option<u64>,
    /// 95th percentile, µs.
    pub p95_us: Option<u64>,
    /// 99th percentile, µs.
    pub p99_us: Option<u64>,
    /// Longest response time, µs, as its bucket.
    pub max_us: Option<u64>,
    /// Share of failed requests, %.
    pub failures_pct: Option<f64>,
}

impl Figures {
    /// The figures of an endpoint's counts over `seconds`.
    pub fn of(endpoint: &Endpoint, seconds: f64) -> Self {
        let requests = endpoint.requests as f64;
        let succeeded = endpoint.requests.saturating_sub(endpoint.failures) as f64;
        let measured = endpoint.requests > 0;
        let [p50_us, p90_us, p95_us, p99_us] =
            [0.50, 0.90, 0.95, 0.99].map(|q| endpoint.histogram.quantile(q));
        Self {
            rps: if seconds > 0.0 { requests / seconds } else { 0.0 },
            goodput: if seconds > 0.0 { succeeded / seconds } else { 0.0 },
            mean_ms: measured.then(|| endpoint.total_ms / requests),
            p50_us,
            p90_us,
            p95_us,
            p99_us,
            max_us: endpoint.histogram.max(),
            failures_pct: measured.then(|| 100.0 * endpoint.failures as f64 / requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_without_requests_has_no_latency() {
        let figures = Figures::of(&Endpoint::default(), 20.0);
        assert_eq!((figures.p95_us, figures.failures_pct, figures.mean_ms), (None, None, None));
    }

    #[test]
    fn rps_times_seconds_is_the_number_of_requests() {
        let endpoint =
            Endpoint { requests: 801, failures: 40, total_ms: 801.0 * 50.0, ..Endpoint::default() };
        let figures = Figures::of(&endpoint, 20.03);
        assert!((figures.rps * 20.03 - 801.0).abs() < 1e-9);
        assert_eq!(figures.mean_ms, Some(50.0));
        assert!((figures.failures_pct.unwrap() - 4.993_757_8).abs() < 1e-6);
    }
}
