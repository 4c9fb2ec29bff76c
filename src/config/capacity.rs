//! The search for capacities, as settings and flags give it.

use std::str::FromStr;

use clap::ValueEnum;
use records::Gate;
use serde::{Deserialize, Serialize};

use super::span::Span;

/// A search for the greatest load that meets the objective, instead of a fixed matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapacitySettings {
    /// What is searched.
    pub of: SearchedLoad,
    /// The most probes for one number of replicas. If unset, 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_probes: Option<usize>,
    /// No probe begins after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<Span>,
    /// The highest rate that is tried, requests/s. If unset, 1000. The most users are those of `max_users`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
    /// Users that the replicas are wanted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_users: Option<u32>,
    /// Requests per second that the replicas are wanted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_rate: Option<f64>,
    /// Whether the answer is measured at the end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
}

/// What a search varies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SearchedLoad {
    /// The users of the closed model.
    #[default]
    Users,
    /// The rate of the open model.
    Rate,
}

/// What a goal that cannot be decided does to the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Exit code 6, as for a missed one.
    #[default]
    Fail,
    /// It counts as met.
    Pass,
}

/// The rows that `--gate` selects, such as `replicas=4` or `replicas=4,users=100`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateFlag(pub(super) Gate);

impl FromStr for GateFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut gate = Gate::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let wrong =
                || format!("'{part}' selects no rows; write it like 'replicas=4' or 'replicas=4,users=100'");
            let count = || value.trim().parse::<u32>().map_err(|_| wrong());
            match name.trim() {
                "replicas" => gate.replicas = Some(count()?),
                "workers" => gate.workers = Some(count()?),
                "users" => gate.users = Some(count()?),
                "rate" => gate.rate = Some(value.trim().parse::<f64>().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Ok(Self(gate))
    }
}
