//! What the service is meant to reach.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The objective, for the primary endpoint and for others by name. A percentile counts a failed request as
/// infinitely slow. A row with too few samples for a percentile of the primary endpoint that is named here is
/// UNDERSAMPLED.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The objectives of other endpoints, by method and name in Locust's statistics, such as `GET /window`. They
    /// have no endpoints of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Objective>,
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

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same with the goals of `other`, which replace goals of the same name.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        let Self { p50_ms, p90_ms, p95_ms, p99_ms, p999_ms, failures_pct, rps, endpoints } = other;
        self.p50_ms = p50_ms.or(self.p50_ms);
        self.p90_ms = p90_ms.or(self.p90_ms);
        self.p95_ms = p95_ms.or(self.p95_ms);
        self.p99_ms = p99_ms.or(self.p99_ms);
        self.p999_ms = p999_ms.or(self.p999_ms);
        self.failures_pct = failures_pct.or(self.failures_pct);
        self.rps = rps.or(self.rps);
        for (name, goals) in endpoints {
            let known = self.endpoints.remove(&name).unwrap_or_default();
            self.endpoints.insert(name, known.with(goals));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percentile_with_a_value_is_a_goal() {
        let objective = Objective { p95_ms: Some(500), p999_ms: Some(2000), ..Objective::default() };
        assert_eq!(objective.goals(), [(0.95, 500), (0.999, 2000)]);
        assert!(Objective::default().goals().is_empty() && Objective::default().is_empty());
    }

    #[test]
    fn goals_of_the_same_name_are_replaced_and_others_are_kept() {
        let window = |p99_ms, rps| Objective { p99_ms, rps, ..Objective::default() };
        let endpoints = |goals| BTreeMap::from([("GET /window".to_owned(), goals)]);
        let file = Objective {
            p95_ms: Some(500),
            failures_pct: Some(2.0),
            endpoints: endpoints(window(Some(80), None)),
            ..Objective::default()
        };
        let flags = Objective {
            p95_ms: Some(400),
            endpoints: endpoints(window(None, Some(5.0))),
            ..Objective::default()
        };
        let both = file.with(flags);
        assert_eq!((both.p95_ms, both.failures_pct), (Some(400), Some(2.0)));
        assert_eq!(both.endpoints, endpoints(window(Some(80), Some(5.0))));
    }
}
