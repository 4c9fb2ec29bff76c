//! Percentiles in which a failed request is infinitely slow.

use records::{Endpoint, Histogram, nearest_rank};

/// The quantile of all requests, µs, with each failed request as infinitely slow; `None` if it is infinite or
/// if there is no request.
fn quantile_with_failures(succeeded: &Histogram, failed: u64, q: f64) -> Option<u64> {
    succeeded.at_rank(nearest_rank(q, succeeded.count() + failed))
}

/// Whether it is known which response times are those of successful requests.
pub fn tells_failures_apart(counts: &Endpoint) -> bool {
    counts.succeeded.count() + counts.failures >= counts.histogram.count()
}

/// A quantile of an endpoint, µs, with a failed request as infinitely slow; `None` without a request. Older records do not
/// tell the successful requests apart: they all count with their own time.
pub fn quantile_of_endpoint(counts: &Endpoint, q: f64) -> Option<f64> {
    if !tells_failures_apart(counts) {
        return counts.histogram.quantile(q).map(|us| us as f64);
    }
    let quantile = quantile_with_failures(&counts.succeeded, counts.failures, q);
    (counts.requests > 0).then(|| quantile.map_or(f64::INFINITY, |us| us as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_request_is_infinitely_slow() {
        let succeeded = Histogram::of_ms([(10, 95)]);
        assert_eq!(quantile_with_failures(&succeeded, 5, 0.95), Some(10_000));
        assert_eq!(quantile_with_failures(&succeeded, 6, 0.95), None);
        assert_eq!(quantile_with_failures(&Histogram::default(), 0, 0.95), None);
    }
}
