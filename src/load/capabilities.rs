//! What a load generator can do.

use super::Script;
use crate::exit::Result;

/// What a load generator can do, and its version.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// Its name and version, such as `Locust 2.46.6`.
    pub name: String,
    /// The version alone, such as `2.46.6`.
    pub version: String,
    /// Whether a cut has every request that was finished before it and none after it. If false, a window is
    /// off by some seconds at both ends, and the measurement is one interval without a steadiness verdict.
    pub exact_windows: bool,
    /// Whether a snapshot between two cuts has counts. If false, there are no samples and no live figures.
    pub live_counts: bool,
    /// Whether it can run the open model. If not, this is the error of a start of
    /// [`Load::Open`](super::Load::Open), with advice (exit code 2).
    pub open_model: Result<()>,
    /// Whether the workers report their health. If false, [`Worker::health`](super::Worker) is always `None`.
    pub health: bool,
    /// Significant digits of the response times behind the percentiles.
    pub percentile_digits: u32,
    /// The test script that it runs.
    pub script: Script,
    /// What is less certain than it should be and how to get the rest, in words for the user; `None` if
    /// nothing is missing.
    pub caveat: Option<String>,
}
