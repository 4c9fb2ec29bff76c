//! A scenario: one point of the matrix, measured once.

use serde::{Deserialize, Serialize};

/// How load is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A fixed number of users, each waiting for its answer before the next request.
    Closed,
    /// Requests that arrive at a rate, whether the earlier ones are answered or not.
    Open,
}

/// One point of the matrix, measured once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Names the scenario within its run, such as `closed-r2-w4-u200-1` or `open-r2-w4-q50-1`.
    pub id: String,
    /// Place in the plan, from 0.
    pub index: usize,
    /// How load is offered.
    pub mode: Mode,
    /// Replicas of the service.
    pub replicas: u32,
    /// Workers of the load generator.
    pub workers: u32,
    /// Simulated users; in the open model, the most requests under way at the same time.
    pub users: u32,
    /// Requests per second of the open model; `None` in the closed model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Which repeat of the same point this is, from 1.
    pub repeat: u32,
    /// Whether it is the first scenario once more, at the end, to show drift.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drift: bool,
}

impl Scenario {
    /// The point of the matrix, which repeats share: `closed-r2-w4-u200`.
    pub fn point_id(&self) -> String {
        let Self { replicas, workers, users, .. } = self;
        match self.rate {
            Some(rate) => format!("open-r{replicas}-w{workers}-q{rate}"),
            None => format!("closed-r{replicas}-w{workers}-u{users}"),
        }
    }
}
