//! The settings file and the flags of the same names, each setting optional, laid over a preset.

use std::path::{Path, PathBuf};

use clap::Args;
use records::Objective;
use serde::{Deserialize, Serialize};

use super::{Config, Inference, Preset, Span, Timeouts, Until};
use crate::exit::{Error, Result};

/// Enough for every preset.
const MAX_USERS: u32 = 1000;
/// Short, because nothing depends on it: what warms up longer is not steady, and measured longer.
const WARM_UP: Span = Span::from_secs(2);

/// A settings file: what it leaves out comes from its preset (`full` unless named).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The named matrix to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// See [`Config::replicas`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<u32>>,
    /// See [`Config::workers`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<Vec<u32>>,
    /// See [`Config::users`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<u32>>,
    /// See [`Config::rates`].
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// See [`Config::timeouts`].
    pub timeouts: Timeouts,
    /// See [`Config::inference`].
    pub inference: Inference,
}

/// The flags that choose and change the matrix.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Matrix")]
pub struct MatrixFlags {
    /// Settings file (YAML); flags of the same names win over it
    #[arg(long, value_name = "FILE", env = "LOCUST_MATRIX_CONFIG")]
    pub config: Option<PathBuf>,
    /// Named matrix to begin with: smoke, baseline, full or quick
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,
    /// Inference replicas to sweep, such as 1,2,4
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub replicas: Option<Vec<u32>>,
    /// Locust workers to sweep
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub workers: Option<Vec<u32>>,
    /// Simulated users to sweep
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub users: Option<Vec<u32>>,
    /// Requests per second to sweep in the open model; without --users, only these
    #[arg(long, value_name = "RATE,…", value_delimiter = ',')]
    pub rates: Option<Vec<f64>>,
    /// Users of the open model: the most requests under way (default: 10 s of answers)
    #[arg(long, value_name = "N")]
    pub pool: Option<u32>,
    /// Length of the measured window, such as 20s or 2m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Span>,
    /// When to stop measuring: after the duration, or once the figures are stable
    #[arg(long, value_name = "WHEN", value_enum)]
    pub until: Option<Until>,
    /// With --until stable, measure at least this long (default: a quarter of the duration)
    #[arg(long, value_name = "TIME")]
    pub min_duration: Option<Span>,
    /// Extend what is not steady up to this (default: twice the duration)
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<Span>,
    /// Mean time a user thinks after each answer, as the locustfile has it (default: 0s)
    #[arg(long, value_name = "TIME")]
    pub think_time: Option<Span>,
    /// Measure each point so many times, in an order drawn by lot
    #[arg(long, value_name = "N")]
    pub repeats: Option<u32>,
    /// What the order is drawn from (default: 1)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Measure the first scenario again at the end, to see drift
    #[arg(long)]
    pub drift: bool,
    /// Load before the window, after every user has started (default: 2s)
    #[arg(long, value_name = "TIME")]
    pub warmup: Option<Span>,
    /// From the stop of one scenario to the start of the next
    #[arg(long, value_name = "TIME")]
    pub cooldown: Option<Span>,
    /// Refuse to load with more users than this (default: 1000)
    #[arg(long, value_name = "N")]
    pub max_users: Option<u32>,
    /// Users started per second (default: a tenth of the users)
    #[arg(long, value_name = "RATE")]
    pub spawn_rate: Option<f64>,
    /// Where the service is, unless the settings file says otherwise
    #[arg(long, value_name = "URL", env = "LOCUST_MATRIX_INFERENCE_URL", hide = true)]
    pub inference_url: Option<String>,
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// Exit code 2: the file cannot be read, or its text says which key is wrong and where.
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
        serde_saphyr::from_str(text).map_err(|error| {
            Error::usage(one_line(&error.to_string()))
                .next("the keys are preset, replicas, workers, users, rates, pool, duration, until, min_duration, max_duration, warmup, cooldown, think_time, repeats, shuffle, seed, drift, spawn_rate, max_users, objective, timeouts and inference")
        })
    }

    /// Lays the flags over the file they name.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_flags(flags: &MatrixFlags) -> Result<Self> {
        let mut settings = flags.config.as_deref().map(Self::read).transpose()?.unwrap_or_default();
        // The Job's manifest says where the service is: whoever runs the pod can see, and change, an
        // address there, and in no program. The file knows better.
        if let Some(url) =
            flags.inference_url.as_ref().filter(|_| settings.inference.url == Inference::default().url)
        {
            settings.inference.url.clone_from(url);
        }
        over(&mut settings.preset, flags.preset.as_ref());
        over(&mut settings.replicas, flags.replicas.as_ref());
        over(&mut settings.workers, flags.workers.as_ref());
        over(&mut settings.users, flags.users.as_ref());
        over(&mut settings.rates, flags.rates.as_ref());
        over(&mut settings.pool, flags.pool.as_ref());
        over(&mut settings.duration, flags.duration.as_ref());
        over(&mut settings.until, flags.until.as_ref());
        over(&mut settings.min_duration, flags.min_duration.as_ref());
        over(&mut settings.max_duration, flags.max_duration.as_ref());
        over(&mut settings.think_time, flags.think_time.as_ref());
        over(&mut settings.repeats, flags.repeats.as_ref());
        over(&mut settings.seed, flags.seed.as_ref());
        over(&mut settings.drift, flags.drift.then_some(&true));
        over(&mut settings.warmup, flags.warmup.as_ref());
        over(&mut settings.cooldown, flags.cooldown.as_ref());
        over(&mut settings.max_users, flags.max_users.as_ref());
        over(&mut settings.spawn_rate, flags.spawn_rate.as_ref());
        Ok(settings)
    }

    /// Fills what is left out from the preset, and checks all.
    ///
    /// # Errors
    /// As [`Config::checked`].
    pub fn complete(self) -> Result<Config> {
        let base = self.preset.unwrap_or_default().axes();
        Config {
            replicas: self.replicas.unwrap_or_else(|| base.replicas.to_vec()),
            workers: self.workers.unwrap_or_else(|| base.workers.to_vec()),
            // Who asks for rates alone wants the open model alone.
            users: self
                .users
                .unwrap_or_else(|| if self.rates.is_some() { Vec::new() } else { base.users.to_vec() }),
            rates: self.rates.unwrap_or_default(),
            pool: self.pool,
            duration: self.duration.unwrap_or(base.duration),
            until: self.until.unwrap_or_default(),
            min_duration: self.min_duration,
            max_duration: self.max_duration,
            think_time: self.think_time.unwrap_or(Span::from_secs(0)),
            objective: self.objective,
            repeats: self.repeats.unwrap_or(1),
            shuffle: self.shuffle,
            seed: self.seed.unwrap_or(1),
            drift: self.drift.unwrap_or(false),
            warmup: self.warmup.unwrap_or(WARM_UP),
            cooldown: self.cooldown.unwrap_or(base.cooldown),
            spawn_rate: self.spawn_rate,
            max_users: self.max_users.unwrap_or(MAX_USERS),
            timeouts: self.timeouts,
            inference: self.inference,
        }
        .checked()
    }

    /// The settings as YAML, for the ConfigMap the Job reads.
    ///
    /// # Errors
    /// Exit code 1: they cannot be written, which is a bug.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(self).map_err(|error| {
            Error::new(crate::exit::ExitCode::Bug, format!("settings cannot be written: {error}"))
        })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn over<T: Clone>(setting: &mut Option<T>, flag: Option<&T>) {
    if let Some(flag) = flag {
        *setting = Some(flag.clone());
    }
}

/// The first line that says something: the parser shows the source in further lines.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_changes_its_preset() {
        let settings = Settings::parse("preset: quick\nusers: [7]\nduration: 3s\n").unwrap();
        let config = settings.complete().unwrap();
        assert_eq!((config.replicas, config.users), (vec![1, 2], vec![7]));
        assert_eq!(config.duration, Span::from_secs(3));
        assert_eq!(config.cooldown, Span::from_secs(5));
    }

    #[test]
    fn flags_win_over_the_preset() {
        let flags =
            MatrixFlags { preset: Some(Preset::Quick), replicas: Some(vec![4]), ..MatrixFlags::default() };
        let config = Settings::from_flags(&flags).unwrap().complete().unwrap();
        assert_eq!((config.replicas, config.workers), (vec![4], vec![2]));
    }

    #[test]
    fn the_manifest_s_address_stands_for_the_default_and_not_for_the_file_s() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.yaml");
        let url = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let inference_url = Some("http://127.64.128.1:8000".to_owned());
            let flags = MatrixFlags { config: Some(file.clone()), inference_url, ..MatrixFlags::default() };
            Settings::from_flags(&flags).unwrap().inference.url
        };
        assert_eq!(url("preset: full\n"), "http://127.64.128.1:8000");
        assert_eq!(url("inference: {url: \"http://shop\"}\n"), "http://shop");
    }

    #[test]
    fn a_wrong_key_or_type_is_named() {
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
            assert_eq!(error.code, crate::exit::ExitCode::Usage);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
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
    fn how_to_measure_reads_from_yaml_and_flags() {
        let text = "{preset: quick, rates: [12.5, 30], until: stable, objective: {p95_ms: 500}, repeats: 3, drift: true}";
        let config = Settings::parse(text).unwrap().complete().unwrap();
        assert_eq!(
            (config.users, config.rates),
            (vec![], vec![12.5, 30.0]),
            "rates alone are the open model alone"
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
    fn an_empty_file_is_the_default() {
        assert_eq!(Settings::parse("# nothing\n\n").unwrap(), Settings::default());
    }
}
