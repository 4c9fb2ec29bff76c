//! When the measurement of a scenario ends.

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
