//! When a measurement ends, and which response times the service should keep to.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// When a measurement ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// After `duration`, or later if the measurement is not steady by then.
    #[default]
    Duration,
    /// As soon as it is steady and its percentiles are precise enough, between `min_duration` and `duration`.
    Stable,
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Duration => "duration",
            Self::Stable => "stable",
        })
    }
}

/// The response times that the service should keep to: percentiles of the primary endpoint. A scenario with too
/// few samples for one of these percentiles is UNDERSAMPLED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Highest median, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u32>,
    /// Highest P90, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_ms: Option<u32>,
    /// Highest P95, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u32>,
    /// Highest P99, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u32>,
    /// Highest P99.9, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999_ms: Option<u32>,
}

impl Objective {
    /// Every percentile that has a goal, as a quantile (0 to 1), with its highest value in ms.
    pub fn goals(&self) -> Vec<(f64, u32)> {
        let goals = [
            (0.5, self.p50_ms),
            (0.9, self.p90_ms),
            (0.95, self.p95_ms),
            (0.99, self.p99_ms),
            (0.999, self.p999_ms),
        ];
        goals.into_iter().filter_map(|(quantile, limit_ms)| Some((quantile, limit_ms?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_percentiles_with_a_limit_are_goals() {
        let objective = Objective { p95_ms: Some(500), p999_ms: Some(2000), ..Objective::default() };
        assert_eq!(objective.goals(), [(0.95, 500), (0.999, 2000)]);
        assert!(Objective::default().goals().is_empty());
    }
}
