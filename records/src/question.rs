//! What a run was started to find out, so that a report needs nothing but records.

use serde::{Deserialize, Serialize};

use crate::Mode;

/// What a run was started to find out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Question {
    /// The rows whose goals decide the exit code; empty if all do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Whether a goal that cannot be decided counts as met for the exit code.
    pub unknown_passes: bool,
    /// The search for capacities; `None` if a fixed list of scenarios was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// How many scenarios a fixed list has; `None` for a search, and in older records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
}

/// Selects the rows that have all of these values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Replicas of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Workers of the load generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Users of the closed model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Requests per second of the open model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// A search for the greatest load that meets the objective, for each number of replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Closed: the most users are searched. Open: the highest rate.
    pub mode: Mode,
    /// Numbers of replicas, in the order in which they are searched.
    pub replicas: Vec<u32>,
    /// Workers of every probe.
    pub workers: u32,
    /// The greatest load that may be tried: users, or requests/s.
    pub most: f64,
    /// The most probes of one number of replicas.
    pub most_probes: usize,
    /// No probe begins after this much time, s.
    pub most_s: Option<f64>,
    /// The strictest goal for a percentile of the primary endpoint, s; `None` if there is none.
    pub goal_s: Option<f64>,
    /// Users of the open model, if they were set.
    pub pool: Option<u32>,
    /// The most users of the open model.
    pub most_pool: u32,
    /// The load that the replicas are wanted for: users, or requests/s.
    pub wanted: Option<f64>,
    /// Whether the replicas that are needed for `wanted` are measured with it at the end.
    pub confirm: bool,
    /// How many repeats confirm it: one run of the open model, and of an endpoint that is not the primary one, has no
    /// interval.
    #[serde(default = "one")]
    pub confirmations: u32,
}

/// The number of confirming runs in records that do not tell it.
fn one() -> u32 {
    1
}
