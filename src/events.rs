//! Progress of a run, for people and for programs. The library makes the events, and a program prints them.
//!
//! With `--json-events`, each event is a JSON object on a line of its own, as `docs/events.schema.json`
//! describes it.

mod display;
mod progress;
mod words;

use std::fmt;
use std::sync::Arc;

pub use progress::{Arrivals, DeploymentReplicas, Progress};
pub use words::{many, minutes};

/// The environment variable for `--json-events`. By it, `job` passes the flag on to the driver's pod.
pub const JSON_EVENTS_VARIABLE: &str = "LOCUST_MATRIX_JSON_EVENTS";

/// The sink of the events.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Progress) + Send + Sync>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events go to `sink`.
    pub fn to(sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Passes an event to the sink.
    pub fn tell(&self, event: Progress) {
        (self.0)(event);
    }
}

#[cfg(test)]
mod tests;
