//! Progress of a run, for people and for programs. The library makes the events, and a program prints them.
//!
//! With `--json-events`, each event is a JSON object on a line of its own, as `docs/events.schema.json`
//! describes it.

mod display;
pub mod live;
mod progress;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use progress::{Arrivals, DeploymentReplicas, PlannedScenario, Progress};
pub use words::{many, minutes};

/// The environment variable for `--json-events`. By it, `job` passes the flag on to the driver's pod.
pub const JSON_EVENTS_VARIABLE: &str = "LOCUST_MATRIX_JSON_EVENTS";

/// The sink of the events.
#[derive(Clone)]
pub struct Events {
    sink: Arc<dyn Fn(Progress) + Send + Sync>,
    /// The notes that were told once.
    told: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events go to `sink`.
    pub fn to(sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), told: Arc::default() }
    }

    /// Passes an event to the sink.
    pub fn tell(&self, event: Progress) {
        (self.sink)(event);
    }

    /// Passes a note to the sink, unless one about the same `matter` was passed before.
    pub fn note_once(&self, matter: &'static str, text: impl Into<String>) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(matter) {
            self.tell(Progress::note(text));
        }
    }

    /// Tells of a wait for `subject` that lasts, for the functions of [`crate::wait`].
    pub fn waiting<'a>(&'a self, subject: &'a str) -> impl Fn(Duration, &str) + Send + Sync + 'a {
        move |waited, state| {
            self.tell(Progress::Waiting {
                subject: subject.to_owned(),
                state: state.to_owned(),
                waited_s: waited.as_secs(),
            });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
