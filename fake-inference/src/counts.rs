//! The server's own counts of requests and answers.
//!
//! A request is *started* when its head has been read. It is *finished* when its answer is decided,
//! before the first byte of the answer is sent: a client that has its answer always finds it in the
//! counts. If the client goes away before that, the request is counted as `aborted`.
//!
//! A scrape of `/metrics` is a request, too. It sees itself as started and in flight, but not as
//! finished; the next scrape sees it as finished.
//!
//! The finished requests are written before the started ones, so that in one scrape no endpoint and
//! caller has more finished than started requests. Input that hyper refuses because it is not HTTP is
//! not counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::caller::Callers;

/// The endpoint of a request, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/predict`
    Predict,
    /// `/healthz`
    Healthz,
    /// `/metrics`
    Metrics,
    /// Any other path.
    Other,
}

impl Endpoint {
    /// The endpoint of a path, whatever the method.
    pub fn of(path: &str) -> Self {
        match path {
            "/predict" => Self::Predict,
            "/healthz" => Self::Healthz,
            "/metrics" => Self::Metrics,
            _ => Self::Other,
        }
    }
}

impl EncodeLabelValue for Endpoint {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let label = match self {
            Self::Predict => "/predict",
            Self::Healthz => "/healthz",
            Self::Metrics => "/metrics",
            Self::Other => "other",
        };
        EncodeLabelValue::encode(&label, encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Started {
    endpoint: Endpoint,
    caller: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Finished {
    endpoint: Endpoint,
    status: String,
    caller: String,
}

/// All counts.
#[derive(Debug)]
pub struct Counts {
    registry: Registry,
    callers: Callers,
    finished: Family<Finished, Counter>,
    started: Family<Started, Counter>,
    in_flight: Gauge,
    under_way: Family<Started, Gauge>,
    inside: Gauge,
    service: Histogram,
    wait: Histogram,
    response: Histogram,
}

impl Counts {
    /// All counts at 0.
    pub fn new() -> Self {
        let mut counts = Self {
            registry: Registry::default(),
            callers: Callers::default(),
            finished: Family::default(),
            started: Family::default(),
            in_flight: Gauge::default(),
            under_way: Family::default(),
            inside: Gauge::default(),
            service: Histogram::new(buckets()),
            wait: Histogram::new(buckets()),
            response: Histogram::new(buckets()),
        };
        let registry = &mut counts.registry;
        registry.register(
            "inference_requests",
            "Requests by HTTP status, or \"aborted\" if the client left before its answer",
            counts.finished.clone(),
        );
        registry.register(
            "inference_requests_started",
            "Requests whose head was read, finished or not",
            counts.started.clone(),
        );
        registry.register(
            "inference_in_flight",
            "Requests to any endpoint that are not finished, this scrape included",
            counts.in_flight.clone(),
        );
        registry.register(
            "inference_requests_in_flight",
            "Requests that are started and not finished, by endpoint and caller, this scrape included",
            counts.under_way.clone(),
        );
        registry.register(
            "inference_in_system",
            "Predictions that are served or wait for a slot",
            counts.inside.clone(),
        );
        registry.register(
            "inference_service_seconds",
            "Predictions: from getting a slot to giving it back",
            counts.service.clone(),
        );
        registry.register(
            "inference_wait_seconds",
            "Predictions: from a valid request to getting a slot",
            counts.wait.clone(),
        );
        registry.register(
            "inference_response_seconds",
            "Requests to /predict: from reading the head to deciding the answer, aborted ones excluded",
            counts.response.clone(),
        );
        counts
    }

    /// Counts a request as started.
    pub fn start(self: &Arc<Self>, endpoint: Endpoint, user_agent: Option<&[u8]>) -> InFlight {
        let caller = self.callers.label(user_agent);
        let labels = Started { endpoint, caller };
        self.started.get_or_create(&labels).inc();
        self.in_flight.inc();
        self.under_way.get_or_create(&labels).inc();
        InFlight {
            counts: Arc::clone(self),
            endpoint,
            caller: labels.caller,
            since: Instant::now(),
            status: None,
        }
    }

    /// A prediction held its slot for this time.
    pub fn served(&self, time: Duration) {
        self.service.observe(time.as_secs_f64());
    }

    /// A prediction waited this long for its slot.
    pub fn waited(&self, time: Duration) {
        self.wait.observe(time.as_secs_f64());
    }

    /// All counts as Prometheus text ([`CONTENT_TYPE`]); `inside` is the number of predictions in the system.
    pub fn render(&self, inside: usize) -> Result<String, std::fmt::Error> {
        self.inside.set(i64::try_from(inside).unwrap_or(i64::MAX));
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }

    /// Number of requests to any endpoint that are started and not finished.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.get()
    }
}

/// The format of [`Counts::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

/// A request that is not finished. If it is dropped without an answer, it is counted as aborted.
#[derive(Debug)]
pub struct InFlight {
    counts: Arc<Counts>,
    endpoint: Endpoint,
    caller: String,
    since: Instant,
    status: Option<StatusCode>,
}

impl InFlight {
    /// Counts the request under its status. Must be called before the answer is sent.
    pub fn answered(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.status.is_some() && self.endpoint == Endpoint::Predict {
            self.counts.response.observe(self.since.elapsed().as_secs_f64());
        }
        let status = self.status.as_ref().map_or("aborted", StatusCode::as_str);
        let caller = std::mem::take(&mut self.caller);
        let labels = Finished { endpoint: self.endpoint, status: status.to_owned(), caller: caller.clone() };
        self.counts.finished.get_or_create(&labels).inc();
        self.counts.under_way.get_or_create(&Started { endpoint: self.endpoint, caller }).dec();
        self.counts.in_flight.dec();
    }
}

/// Upper bounds in seconds: the preferred numbers R10 (ISO 3), ten per decade, from 1 ms to 100 s. A
/// percentile that is read from them is at most about a quarter off. They are whole numbers divided
/// once, so that the labels have the digits of the standard.
fn buckets() -> impl Iterator<Item = f64> {
    const R10: [u32; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];
    let decades = [1, 10, 100, 1000, 10_000].into_iter();
    let bounds = decades.flat_map(|decade| R10.into_iter().map(move |step| step * decade));
    bounds.chain([10_000_000]).map(|bound| f64::from(bound) / 100_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_rise_from_a_millisecond_to_100_seconds() {
        let bounds: Vec<f64> = buckets().collect();
        assert_eq!(bounds.len(), 51);
        assert_eq!(bounds[..3], [0.001, 0.001_25, 0.001_6]);
        assert_eq!(bounds[49..], [80.0, 100.0]);
        assert!(bounds.is_sorted());
    }

    #[test]
    fn a_request_is_counted_as_started_in_flight_and_finished_once() {
        let counts = Arc::new(Counts::new());
        let answered = counts.start(Endpoint::Predict, Some(b"tool/1"));
        let aborted = counts.start(Endpoint::Predict, Some(b"tool/1"));
        let other = counts.start(Endpoint::Healthz, Some(b"probe/1"));
        assert_eq!(counts.in_flight(), 3);
        let page = counts.render(0).unwrap();
        assert_line(&page, r#"inference_requests_in_flight{endpoint="/predict",caller="tool"} 2"#);
        assert_line(&page, r#"inference_requests_in_flight{endpoint="/healthz",caller="probe"} 1"#);
        drop(other);
        answered.answered(StatusCode::OK);
        drop(aborted);
        assert_eq!(counts.in_flight(), 0);

        let page = counts.render(3).unwrap();
        for line in [
            r#"inference_requests_total{endpoint="/predict",status="200",caller="tool"} 1"#,
            r#"inference_requests_total{endpoint="/predict",status="aborted",caller="tool"} 1"#,
            r#"inference_requests_started_total{endpoint="/predict",caller="tool"} 2"#,
            r#"inference_requests_in_flight{endpoint="/predict",caller="tool"} 0"#,
            "inference_in_flight 0",
            "inference_in_system 3",
            "inference_response_seconds_count 1",
        ] {
            assert_line(&page, line);
        }
    }

    fn assert_line(page: &str, line: &str) {
        assert!(page.lines().any(|found| found == line), "no line {line} in\n{page}");
    }

    #[test]
    fn every_path_has_one_of_four_labels() {
        assert_eq!(Endpoint::of("/predict"), Endpoint::Predict);
        assert_eq!(Endpoint::of("/predict/"), Endpoint::Other);
        assert_eq!(Endpoint::of("/healthz"), Endpoint::Healthz);
        assert_eq!(Endpoint::of("/metrics"), Endpoint::Metrics);
        assert_eq!(Endpoint::of("/"), Endpoint::Other);
    }
}
