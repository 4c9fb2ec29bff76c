//! The command line's flags for the matrix. Flags override the settings file.

use std::path::PathBuf;

use clap::Args;

use super::capacity::{CapacitySettings, GateFlag, SearchedLoad, Unknown};
use super::complete::Inference;
use super::method::Until;
use super::objective::{Goal, primary_first};
use super::preset::Preset;
use super::settings::Settings;
use super::span::Span;
use crate::exit::Result;

/// Flags that choose a matrix and change it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Matrix")]
pub struct MatrixFlags {
    /// Settings file (YAML); flags of the same names override it
    #[arg(long, value_name = "FILE", env = "LOCUST_MATRIX_CONFIG")]
    pub config: Option<PathBuf>,
    /// Named matrix to start from: smoke, baseline, full or quick
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,
    /// Numbers of replicas of the service, such as 1,2,4
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub replicas: Option<Vec<u32>>,
    /// Numbers of Locust workers
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub workers: Option<Vec<u32>>,
    /// Numbers of simulated users
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub users: Option<Vec<u32>>,
    /// Requests per second of the open model; without --users, only the open model is measured
    #[arg(long, value_name = "RATE,…", value_delimiter = ',')]
    pub rates: Option<Vec<f64>>,
    /// Users of the open model, which limit concurrent requests (default: enough for 10 s response times)
    #[arg(long, value_name = "N")]
    pub pool: Option<u32>,
    /// Length of the measured window, such as 20s or 2m
    #[arg(long, value_name = "TIME")]
    pub duration: Option<Span>,
    /// When to stop measuring: after the duration, or as soon as the figures are stable
    #[arg(long, value_name = "WHEN", value_enum)]
    pub until: Option<Until>,
    /// With --until stable, measure at least this long (default: a quarter of the duration)
    #[arg(long, value_name = "TIME")]
    pub min_duration: Option<Span>,
    /// Extend a measurement that is not steady up to this (default: twice the duration)
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<Span>,
    /// Mean time a user waits after each response, as the locustfile has it (default: 0s)
    #[arg(long, value_name = "TIME")]
    pub think_time: Option<Span>,
    /// What the service must reach, such as 'p95<500ms', 'failures<1%', 'rps>=50' or 'GET /window: p99<80ms';
    /// can be repeated
    #[arg(long, value_name = "GOAL")]
    pub objective: Vec<Goal>,
    /// Search the most users (or the highest rate) that meet the objective, for each number of replicas
    #[arg(long, value_name = "OF", num_args = 0..=1, default_missing_value = "users", value_enum)]
    pub capacity: Option<SearchedLoad>,
    /// Find the replicas that this many users need; implies --capacity users
    #[arg(long, value_name = "N", conflicts_with = "for_rate")]
    pub for_users: Option<u32>,
    /// Find the replicas that this many requests per second need; implies --capacity rate
    #[arg(long, value_name = "RATE")]
    pub for_rate: Option<f64>,
    /// Measure the answer of --for-users or --for-rate at the end
    #[arg(long)]
    pub confirm: bool,
    /// With --capacity, the most probes for each number of replicas (default: 12)
    #[arg(long, value_name = "N")]
    pub max_probes: Option<usize>,
    /// With --capacity, begin no probe after this time, such as 30m
    #[arg(long, value_name = "TIME")]
    pub max_time: Option<Span>,
    /// With --capacity rate, the highest rate that is tried (default: 1000)
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<f64>,
    /// Only the goals of these rows decide the exit code, such as replicas=4 or replicas=4,users=100; can be repeated
    #[arg(long, value_name = "ROWS")]
    pub gate: Vec<GateFlag>,
    /// Whether a goal that cannot be decided ends with exit code 6 (default: fail)
    #[arg(long, value_name = "HOW", value_enum)]
    pub unknown: Option<Unknown>,
    /// Measure every combination this many times, in random order
    #[arg(long, value_name = "N")]
    pub repeats: Option<u32>,
    /// Seed of the random order (default: 1)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Measure the first scenario again at the end, to show drift
    #[arg(long)]
    pub drift: bool,
    /// Time between the start of the last user and the start of the window (default: 2s)
    #[arg(long, value_name = "TIME")]
    pub warmup: Option<Span>,
    /// Time from the stop of one scenario's load to the start of the next scenario
    #[arg(long, value_name = "TIME")]
    pub cooldown: Option<Span>,
    /// Refuse scenarios with more users than this (default: 1000)
    #[arg(long, value_name = "N")]
    pub max_users: Option<u32>,
    /// Users started per second (default: a tenth of the users, in a search a fifth)
    #[arg(long, value_name = "RATE")]
    pub spawn_rate: Option<f64>,
    /// Pause an autoscaler that scales the service, and put it back at the end
    #[arg(long)]
    pub pause_autoscaler: bool,
    /// URL of the service, unless the settings file names another
    #[arg(long, value_name = "URL", env = "LOCUST_MATRIX_INFERENCE_URL", hide = true)]
    pub inference_url: Option<String>,
}

impl Settings {
    /// The settings of the file that the flags name, overridden by the flags.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn from_flags(flags: &MatrixFlags) -> Result<Self> {
        let mut settings = flags.config.as_deref().map(Self::read).transpose()?.unwrap_or_default();
        // The Job's manifest passes the service's address to the pod, so that it can be changed there. An
        // address in the settings file comes first.
        if let Some(url) =
            flags.inference_url.as_ref().filter(|_| settings.inference.url == Inference::default().url)
        {
            settings.inference.url.clone_from(url);
        }
        override_with(&mut settings.preset, flags.preset.as_ref());
        override_with(&mut settings.replicas, flags.replicas.as_ref());
        override_with(&mut settings.workers, flags.workers.as_ref());
        override_with(&mut settings.users, flags.users.as_ref());
        override_with(&mut settings.rates, flags.rates.as_ref());
        override_with(&mut settings.pool, flags.pool.as_ref());
        override_with(&mut settings.duration, flags.duration.as_ref());
        override_with(&mut settings.until, flags.until.as_ref());
        override_with(&mut settings.min_duration, flags.min_duration.as_ref());
        override_with(&mut settings.max_duration, flags.max_duration.as_ref());
        override_with(&mut settings.think_time, flags.think_time.as_ref());
        override_with(&mut settings.repeats, flags.repeats.as_ref());
        override_with(&mut settings.seed, flags.seed.as_ref());
        override_with(&mut settings.drift, flags.drift.then_some(&true));
        override_with(&mut settings.warmup, flags.warmup.as_ref());
        override_with(&mut settings.cooldown, flags.cooldown.as_ref());
        override_with(&mut settings.max_users, flags.max_users.as_ref());
        override_with(&mut settings.spawn_rate, flags.spawn_rate.as_ref());
        if !flags.objective.is_empty() {
            // The file may name the primary endpoint, and a flag need not.
            settings.objective = primary_first(settings.objective, &settings.inference.primary);
        }
        for Goal(goal) in &flags.objective {
            let goal = primary_first(goal.clone(), &settings.inference.primary);
            settings.objective = settings.objective.with(goal);
        }
        if !flags.gate.is_empty() {
            settings.gates = flags.gate.iter().map(|GateFlag(gate)| *gate).collect();
        }
        settings.pause_autoscaler |= flags.pause_autoscaler;
        settings.unknown = flags.unknown.unwrap_or(settings.unknown);
        settings.capacity = capacity(settings.capacity.take(), flags);
        Ok(settings)
    }
}

/// The search of the settings file, changed by the flags; `None` if neither asks for one.
fn capacity(in_file: Option<CapacitySettings>, flags: &MatrixFlags) -> Option<CapacitySettings> {
    // Without a search in the file, --max-rate alone means a search for rates.
    let limited = flags.max_rate.filter(|_| in_file.is_none()).map(|_| SearchedLoad::Rate);
    let of_rates = flags.for_rate.map(|_| SearchedLoad::Rate).or(limited);
    let implied = flags.for_users.map(|_| SearchedLoad::Users).or(of_rates);
    let of = flags.capacity.or(implied);
    let is_asked_for = of.is_some()
        || flags.confirm
        || flags.max_probes.is_some()
        || flags.max_time.is_some()
        || flags.max_rate.is_some();
    if in_file.is_none() && !is_asked_for {
        return None;
    }
    let mut capacity = in_file.unwrap_or_default();
    if of.is_some_and(|of| of != capacity.of) {
        // What the file says about the other model's load is no part of this search.
        let CapacitySettings { max_probes, max_time, .. } = capacity;
        capacity = CapacitySettings { max_probes, max_time, ..CapacitySettings::default() };
    }
    capacity.of = of.unwrap_or(capacity.of);
    capacity.confirm |= flags.confirm;
    override_with(&mut capacity.for_users, flags.for_users.as_ref());
    override_with(&mut capacity.for_rate, flags.for_rate.as_ref());
    override_with(&mut capacity.max_probes, flags.max_probes.as_ref());
    override_with(&mut capacity.max_time, flags.max_time.as_ref());
    override_with(&mut capacity.max_rate, flags.max_rate.as_ref());
    Some(capacity)
}

fn override_with<T: Clone>(setting: &mut Option<T>, flag: Option<&T>) {
    if let Some(flag) = flag {
        *setting = Some(flag.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_override_the_preset() {
        let flags =
            MatrixFlags { preset: Some(Preset::Quick), replicas: Some(vec![4]), ..MatrixFlags::default() };
        let config = Settings::from_flags(&flags).unwrap().complete().unwrap();
        assert_eq!((config.replicas, config.workers), (vec![4], vec![2]));
    }

    #[test]
    fn goals_on_the_command_line_join_those_of_the_file_and_replace_goals_of_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.yaml");
        std::fs::write(&file, "objective: {p95_ms: 500, failures_pct: 2}\n").unwrap();
        let goals = ["p95<300ms", "POST /predict: p50<100ms", "GET /window: p99<80ms"];
        let objective = goals.map(|goal| goal.parse().unwrap()).into();
        let flags = MatrixFlags { config: Some(file), objective, ..MatrixFlags::default() };
        let objective = Settings::from_flags(&flags).unwrap().complete().unwrap().objective;
        assert_eq!((objective.p95_ms, objective.failures_pct), (Some(300), Some(2.0)));
        assert_eq!(objective.p50_ms, Some(100), "the primary endpoint may be named");
        assert_eq!(objective.endpoints.keys().collect::<Vec<_>>(), ["GET /window"]);
    }

    #[test]
    fn the_address_of_the_manifest_replaces_the_default_but_not_the_address_in_the_file() {
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
    fn a_flag_that_searches_the_other_model_drops_the_loads_of_the_files_model() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("matrix.yaml");
        let search = |text: &str, flags: MatrixFlags| {
            std::fs::write(&file, format!("{{capacity: {text}, objective: {{p95_ms: 500}}}}")).unwrap();
            let flags = MatrixFlags { config: Some(file.clone()), ..flags };
            Settings::from_flags(&flags).unwrap().complete().unwrap().search().unwrap()
        };
        let rates = "{of: rate, max_rate: 50, for_rate: 40, confirm: true, max_probes: 7}";
        let of_users = MatrixFlags { capacity: Some(SearchedLoad::Users), ..MatrixFlags::default() };
        let found = search(rates, of_users);
        assert_eq!((found.mode, found.wanted, found.confirm), (records::Mode::Closed, None, false));
        assert_eq!(found.most_probes, 7, "this holds for both models");
        let for_users = MatrixFlags { for_users: Some(9), ..MatrixFlags::default() };
        assert_eq!(search(rates, for_users).wanted, Some(9.0));
        let for_rate = MatrixFlags { for_rate: Some(30.0), ..MatrixFlags::default() };
        assert_eq!(search("{for_users: 9}", for_rate.clone()).wanted, Some(30.0));
        let same = search(rates, for_rate);
        assert_eq!((same.most, same.wanted, same.confirm), (50.0, Some(30.0), true), "the same model");
    }

    #[test]
    fn a_goal_of_a_flag_replaces_that_of_a_file_that_names_the_primary_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("matrix.yaml");
        for (in_file, flag) in [
            ("{objective: {endpoints: {'POST /predict': {p95_ms: 500, rps: 10}}}}", "p95<300ms"),
            ("{objective: {p95_ms: 500, rps: 10}}", "POST /predict: p95<300ms"),
            ("{objective: {p95_ms: 500, rps: 10}}", "p95<300ms"),
        ] {
            std::fs::write(&path, in_file).unwrap();
            let objective = vec![flag.parse().unwrap()];
            let flags = MatrixFlags { config: Some(path.clone()), objective, ..MatrixFlags::default() };
            let objective = Settings::from_flags(&flags).unwrap().complete().unwrap().objective;
            assert_eq!((objective.p95_ms, objective.rps), (Some(300), Some(10.0)), "{in_file} {flag}");
            assert!(objective.endpoints.is_empty());
        }
    }
}
