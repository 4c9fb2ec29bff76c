//! What the service is meant to reach.

use serde::{Deserialize, Serialize};

/// The objective, for the primary endpoint. A percentile counts a failed request as infinitely slow. A row with
/// too few samples for a percentile that is named here is UNDERSAMPLED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Highest acceptable median, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u32>,
    /// Highest acceptable P90, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_ms: Option<u32>,
    /// Highest acceptable P95, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u32>,
    /// Highest acceptable P99, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u32>,
    /// Highest acceptable P99.9, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999_ms: Option<u32>,
    /// Largest acceptable share of failed requests, %; see [`Objective::most_failures_pct`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures_pct: Option<f64>,
    /// Fewest acceptable successful requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rps: Option<f64>,
}

/// The largest acceptable share of failed requests unless the objective names another one, %.
pub const FAILURES_PCT: f64 = 1.0;

impl Objective {
    /// Largest acceptable share of failed requests, %. It holds for every row, with or without an objective.
    pub fn most_failures_pct(&self) -> f64 {
        self.failures_pct.unwrap_or(FAILURES_PCT)
    }

    /// Each quantile (0 to 1) that has a goal, with the goal in ms.
    pub fn goals(&self) -> Vec<(f64, u32)> {
        let goals = [
            (0.5, self.p50_ms),
            (0.9, self.p90_ms),
            (0.95, self.p95_ms),
            (0.99, self.p99_ms),
            (0.999, self.p999_ms),
        ];
        goals.into_iter().filter_map(|(quantile, most)| Some((quantile, most?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percentile_with_a_value_is_a_goal() {
        let objective = Objective { p95_ms: Some(500), p999_ms: Some(2000), ..Objective::default() };
        assert_eq!(objective.goals(), [(0.95, 500), (0.999, 2000)]);
        assert!(Objective::default().goals().is_empty());
    }
}
