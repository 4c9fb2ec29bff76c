//! The counts between two snapshots of the load generator's growing counts.

use serde::{Deserialize, Serialize};

use crate::Histogram;

/// The counts of one endpoint, since the load was started or within a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// HTTP method; empty for all endpoints together.
    pub method: String,
    /// The name in the load generator's statistics; `Aggregated` for all endpoints together.
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

    /// What came after `earlier`; all of it if there is no earlier one.
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
}

impl Window {
    /// The endpoint of that label, such as `POST /predict`.
    pub fn endpoint(&self, label: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.label() == label)
    }
}
