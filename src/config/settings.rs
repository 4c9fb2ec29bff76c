//! The settings file: every setting is optional, and the preset has the rest.

use std::path::Path;

use records::{Gate, Objective};
use serde::{Deserialize, Serialize};

use super::capacity::{CapacitySettings, SearchedLoad, Unknown};
use super::complete::{Config, Inference, RecordSettings, Timeouts};
use super::job::JobSettings;
use super::list;
use super::method::Until;
use super::objective::primary_first;
use super::preset::Preset;
use super::settings_error::explain;
use super::span::Span;
use crate::exit::{Error, ExitCode, Result};

/// Default of `max_users`; enough for every preset.
const MAX_USERS: u32 = 1000;
/// Default of `warmup`. It can be short: a service that warms up longer is not steady, so its measurement is
/// extended.
const WARM_UP: Span = Span::from_secs(2);

/// The contents of a settings file. Missing settings come from its preset, which is `full` by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The named matrix to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// See [`Config::replicas`].
    #[serde(deserialize_with = "list::one_or_more", skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<u32>>,
    /// See [`Config::workers`].
    #[serde(deserialize_with = "list::one_or_more", skip_serializing_if = "Option::is_none")]
    pub workers: Option<Vec<u32>>,
    /// See [`Config::users`].
    #[serde(deserialize_with = "list::one_or_more", skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<u32>>,
    /// See [`Config::rates`].
    #[serde(deserialize_with = "list::one_or_more", skip_serializing_if = "Option::is_none")]
    pub rates: Option<Vec<f64>>,
    /// See [`Config::pool`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<u32>,
    /// See [`Config::duration`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// See [`Config::until`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// See [`Config::min_duration`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration: Option<Span>,
    /// See [`Config::max_duration`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Span>,
    /// See [`Config::think_time`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think_time: Option<Span>,
    /// See [`Config::repeats`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u32>,
    /// See [`Config::shuffle`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<bool>,
    /// See [`Config::seed`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// See [`Config::drift`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<bool>,
    /// See [`Config::warmup`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Span>,
    /// See [`Config::cooldown`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,
    /// See [`Config::spawn_rate`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawn_rate: Option<f64>,
    /// See [`Config::max_users`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_users: Option<u32>,
    /// See [`Config::objective`].
    #[serde(skip_serializing_if = "is_default")]
    pub objective: Objective,
    /// See [`Config::capacity`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySettings>,
    /// See [`Config::gates`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// See [`Config::unknown`].
    #[serde(skip_serializing_if = "is_default")]
    pub unknown: Unknown,
    /// See [`Config::timeouts`].
    pub timeouts: Timeouts,
    /// See [`Config::inference`].
    pub inference: Inference,
    /// See [`Config::pause_autoscaler`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pause_autoscaler: bool,
    /// What the driver's Job needs in this cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub job: JobSettings,
    /// See [`Config::record`].
    #[serde(skip_serializing_if = "is_default")]
    pub record: RecordSettings,
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// Exit code 2: the file cannot be read; or a key is wrong, with its line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("settings file {}: {error}", path.display()))
                .next("give the path of a YAML file with --config, or leave it out and use --preset")
        })?;
        Self::parse(&text).map_err(|error| error.during(&format!("settings file {}", path.display())))
    }

    /// Reads settings from YAML text.
    ///
    /// # Errors
    /// Exit code 2, with the key and its line.
    pub fn parse(text: &str) -> Result<Self> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| explain::<Self>(text, &error.to_string()))
    }

    /// Fills in missing settings from the preset and checks all of them.
    ///
    /// # Errors
    /// As [`Config::checked`].
    pub fn complete(self) -> Result<Config> {
        self.job.check()?;
        let searches_users =
            self.capacity.as_ref().is_some_and(|capacity| capacity.of == SearchedLoad::Users);
        if searches_users && self.rates.is_some() {
            return Err(Error::usage("rates: a search for users measures none")
                .next("search rates with --capacity rate, or leave the rates out"));
        }
        let preset = self.preset.unwrap_or_default().defaults();
        let objective = primary_first(self.objective, &self.inference.primary);
        Config {
            replicas: self.replicas.unwrap_or_else(|| preset.replicas.to_vec()),
            workers: self.workers.unwrap_or_else(|| preset.workers.to_vec()),
            // Rates without users mean: measure the open model only.
            users: self
                .users
                .unwrap_or_else(|| if self.rates.is_some() { Vec::new() } else { preset.users.to_vec() }),
            rates: self.rates.unwrap_or_default(),
            pool: self.pool,
            duration: self.duration.unwrap_or(preset.duration),
            until: self.until.unwrap_or(if self.capacity.is_some() {
                Until::Stable
            } else {
                Until::Duration
            }),
            min_duration: self.min_duration,
            max_duration: self.max_duration,
            think_time: self.think_time.unwrap_or(Span::from_secs(0)),
            objective,
            capacity: self.capacity,
            gates: self.gates,
            unknown: self.unknown,
            repeats: self.repeats.unwrap_or(1),
            shuffle: self.shuffle,
            seed: self.seed.unwrap_or(1),
            drift: self.drift.unwrap_or(false),
            warmup: self.warmup.unwrap_or(WARM_UP),
            cooldown: self.cooldown.unwrap_or(preset.cooldown),
            spawn_rate: self.spawn_rate,
            max_users: self.max_users.unwrap_or(MAX_USERS),
            timeouts: self.timeouts,
            inference: self.inference.normalized(),
            pause_autoscaler: self.pause_autoscaler,
            record: self.record,
        }
        .checked()
    }

    /// The settings as YAML, for the ConfigMap that the Job reads.
    ///
    /// # Errors
    /// Exit code 1: they have no YAML form, which is a bug.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(self).map_err(|error| {
            Error::new(ExitCode::Bug, format!("settings cannot be written as YAML: {error}"))
        })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::super::flags::MatrixFlags;
    use super::*;

    #[test]
    fn settings_in_a_file_replace_those_of_its_preset() {
        let settings = Settings::parse("preset: quick\nusers: [7]\nduration: 3s\n").unwrap();
        let config = settings.complete().unwrap();
        assert_eq!((config.replicas, config.users), (vec![1, 2], vec![7]));
        assert_eq!(config.duration, Span::from_secs(3));
        assert_eq!(config.cooldown, Span::from_secs(5));
    }

    #[test]
    fn a_wrong_key_or_type_is_named_in_the_error() {
        for (text, word) in [
            ("userz: [1]", "userz"),
            ("users: many", "users"),
            ("preset: huge", "huge"),
            ("duration: soon", "soon"),
            ("users: [-1]", "-1"),
            ("inference: {port: 1}", "port"),
        ] {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.message.contains(word) || error.message.contains("line 1"), "{text}: {error}");
            assert_eq!(error.code, ExitCode::Usage);
        }
    }

    #[test]
    fn written_settings_are_read_back_unchanged() {
        let settings = Settings {
            preset: Some(Preset::Quick),
            users: Some(vec![3, 9]),
            rates: Some(vec![12.5, 30.0]),
            until: Some(Until::Stable),
            drift: Some(true),
            objective: Objective { p95_ms: Some(500), ..Objective::default() },
            ..Settings::default()
        };
        assert_eq!(Settings::parse(&settings.to_yaml().unwrap()).unwrap(), settings);
    }

    #[test]
    fn measurement_settings_are_read_from_yaml_and_from_flags() {
        let text = "{preset: quick, rates: [12.5, 30], until: stable, objective: {p95_ms: 500}, repeats: 3, drift: true}";
        let config = Settings::parse(text).unwrap().complete().unwrap();
        assert_eq!(
            (config.users, config.rates),
            (vec![], vec![12.5, 30.0]),
            "rates without users mean the open model only"
        );
        assert_eq!((config.until, config.repeats, config.drift), (Until::Stable, 3, true));
        assert_eq!(config.objective.goals(), [(0.95, 500)]);
        let flags = MatrixFlags {
            preset: Some(Preset::Quick),
            users: Some(vec![5]),
            rates: Some(vec![9.0]),
            seed: Some(42),
            ..MatrixFlags::default()
        };
        let config = Settings::from_flags(&flags).unwrap().complete().unwrap();
        assert_eq!((config.users, config.rates, config.seed), (vec![5], vec![9.0], 42));
        assert!(Settings::parse("objective: {p42_ms: 1}").is_err());
    }

    #[test]
    fn an_empty_file_leaves_all_settings_at_their_defaults() {
        assert_eq!(Settings::parse("# nothing\n\n").unwrap(), Settings::default());
    }
}
