//! What is known about a scenario that was measured.

use records::Scenario;

/// What has been found out about a scenario: all that a plan may learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The scenario that was measured.
    pub scenario: Scenario,
    /// What the measurement is worth to a plan.
    pub worth: Worth,
    /// Whether it meets the whole objective.
    pub objective: Meets,
    /// Successful requests of the primary endpoint per second; `None` if nothing was measured.
    pub rps: Option<f64>,
    /// Requests of all endpoints that are under way at a time, on average: by Little's law, the sum of their response times over
    /// the length of the window. The other users think.
    pub under_way: Option<f64>,
    /// P95 of the primary endpoint, µs; `None` if there are too few samples for it.
    pub p95_us: Option<u64>,
    /// The lowest ratio of a goal for a percentile to that percentile, over all of them. A failed request is
    /// infinitely slow, so that many of them give 0. `None` without such a goal, or without a figure.
    pub headroom: Option<f64>,
    /// The lowest ratio of a throughput to its goal. `None` without such a goal, or without a figure.
    pub throughput: Option<f64>,
    /// How long it took, s.
    pub took_s: f64,
}

/// What a measurement is worth to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Its figures can be used.
    Figures,
    /// The service failed requests, or fell behind: it cannot do more.
    Exceeded,
    /// The load generator cannot make this load.
    GeneratorLimited,
    /// Its figures do not tell enough.
    Unclear,
    /// Nothing was measured.
    Nothing,
}

/// Whether the objective is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meets {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// That cannot be told.
    Unknown,
}
