//! The single goals of an objective.

use std::fmt;

use records::Objective;

use crate::measure::percentile_name;

/// What a goal limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limited {
    /// A percentile of the response times: the quantile, 0 to 1. The limit is in ms, at most.
    Percentile(f64),
    /// The share of failed requests. The limit is in %, at most.
    Failures,
    /// Successful requests per second. The limit is in 1/s, at least.
    Throughput,
}

/// One goal of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The endpoint, by method and name; `None` for the primary one.
    pub endpoint: Option<String>,
    /// What is limited.
    pub limited: Limited,
    /// The limit, in the unit of what is limited.
    pub limit: f64,
}

impl Goal {
    /// Every goal of an objective: those of the primary endpoint first. The share of failed requests is among
    /// them only if the objective names it.
    pub fn all(objective: &Objective) -> Vec<Self> {
        let mut goals = goals_of(None, objective);
        for (name, of_endpoint) in &objective.endpoints {
            goals.extend(goals_of(Some(name), of_endpoint));
        }
        goals
    }
}

fn goals_of(endpoint: Option<&String>, objective: &Objective) -> Vec<Goal> {
    let latency = objective.goals().into_iter().map(|(q, most)| (Limited::Percentile(q), f64::from(most)));
    let failures = objective.failures_pct.map(|most| (Limited::Failures, most));
    let throughput = objective.rps.map(|least| (Limited::Throughput, least));
    let goal = |(limited, limit)| Goal { endpoint: endpoint.cloned(), limited, limit };
    latency.chain(failures).chain(throughput).map(goal).collect()
}

impl fmt::Display for Goal {
    /// `P95 < 500 ms`, `GET /window: failures < 1 %`, `successful requests ≥ 50/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(endpoint) = &self.endpoint {
            write!(f, "{endpoint}: ")?;
        }
        match self.limited {
            Limited::Percentile(q) => write!(f, "{} < {} ms", percentile_name(q), self.limit),
            Limited::Failures => write!(f, "failures < {} %", self.limit),
            Limited::Throughput => write!(f, "successful requests ≥ {}/s", self.limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_named_with_their_endpoint_and_their_unit() {
        let window = Objective { p99_ms: Some(80), ..Objective::default() };
        let objective = Objective {
            p95_ms: Some(500),
            failures_pct: Some(0.5),
            rps: Some(50.0),
            endpoints: [("GET /window".to_owned(), window)].into(),
            ..Objective::default()
        };
        let names: Vec<_> = Goal::all(&objective).iter().map(Goal::to_string).collect();
        let expected =
            ["P95 < 500 ms", "failures < 0.5 %", "successful requests ≥ 50/s", "GET /window: P99 < 80 ms"];
        assert_eq!(names, expected);
    }
}
