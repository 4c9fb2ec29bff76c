//! Which scenarios a run measures, in which order, and the hash that a resumed run must have again.

use std::collections::HashSet;
use std::time::Duration;

use records::{Mode, Scenario};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;

/// What has been found out about a scenario: all that a plan may learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The scenario that was measured.
    pub scenario: Scenario,
    /// Whether its figures may be cited.
    pub is_valid: bool,
    /// Successful requests of the primary endpoint per second; `None` if nothing was measured.
    pub rps: Option<f64>,
    /// P95 of the primary endpoint, µs; `None` if there are too few samples for it.
    pub p95_us: Option<u64>,
}

/// Decides which scenario is measured next, as a pure function of the outcomes so far. A resumed run asks the
/// same plan with the outcomes that are recorded.
pub trait Plan: std::fmt::Debug + Send + Sync {
    /// The next scenario, or `None` if the run is complete.
    fn next(&self, outcomes: &[Outcome]) -> Option<Scenario>;

    /// The number of scenarios, if it is known beforehand.
    fn total(&self) -> Option<usize>;
}

/// The plan of a matrix: all its scenarios, in order. Replicas change slowest, then workers, then users, then
/// rates; or the order is shuffled by a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

impl Plan for Grid {
    fn next(&self, outcomes: &[Outcome]) -> Option<Scenario> {
        let measured: HashSet<&str> = outcomes.iter().map(|outcome| outcome.scenario.id.as_str()).collect();
        self.scenarios.iter().find(|scenario| !measured.contains(scenario.id.as_str())).cloned()
    }

    fn total(&self) -> Option<usize> {
        Some(self.scenarios.len())
    }
}

impl Grid {
    /// The grid of a configuration.
    pub fn of(config: &Config) -> Self {
        let mut scenarios: Vec<Scenario> =
            (1..=config.repeats).flat_map(|repeat| points(config, repeat)).collect();
        if config.is_shuffled() {
            shuffle(&mut scenarios, config.seed);
        }
        if config.drift
            && let Some(first) = scenarios.first()
        {
            let id = format!("{}-drift", first.point_id());
            scenarios.push(Scenario { id, repeat: config.repeats + 1, drift: true, ..first.clone() });
        }
        for (index, scenario) in scenarios.iter_mut().enumerate() {
            scenario.index = index;
        }
        Self { scenarios }
    }

    /// About how long the run takes: ramp, warm-up, window and cooldown of every scenario, and two
    /// seconds for scaling.
    pub fn expected(&self, config: &Config) -> Duration {
        self.scenarios.iter().map(|scenario| expected(scenario, config)).sum()
    }

    /// How long it takes if no scenario becomes steady and each is measured as long as it may be.
    pub fn longest(&self, config: &Config) -> Duration {
        let count = u32::try_from(self.scenarios.len()).unwrap_or(u32::MAX);
        self.expected(config) + config.longest().saturating_sub(config.duration.get()) * count
    }

    /// How long it takes if every scenario is steady at once. It differs from `expected` only if a measurement
    /// may stop early.
    pub fn shortest(&self, config: &Config) -> Duration {
        let count = u32::try_from(self.scenarios.len()).unwrap_or(u32::MAX);
        let saved =
            config.shortest().map_or(Duration::ZERO, |least| config.duration.get().saturating_sub(least));
        self.expected(config).saturating_sub(saved * count)
    }

    /// The hash that a resumed run must share with the run it continues. It covers scenarios, settings, images
    /// and the version of the load generator. 64 hex digits.
    pub fn hash(&self, config: &Config, images: &[(String, String)], generator: &str) -> String {
        let text = serde_json::to_vec(&(self, config, images, generator)).unwrap_or_default();
        hex(&Sha256::digest(text))
    }
}

/// About how long one scenario takes.
pub fn expected(scenario: &Scenario, config: &Config) -> Duration {
    let rate = config.spawn_rate_for(scenario.users);
    let ramp = Duration::from_secs_f64(f64::from(scenario.users) / rate);
    ramp + config.warmup.get() + config.duration.get() + config.cooldown.get() + Duration::from_secs(2)
}

/// Every point of the matrix, once.
fn points(config: &Config, repeat: u32) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for &replicas in &config.replicas {
        for &workers in &config.workers {
            let closed = config.users.iter().map(|users| (Mode::Closed, *users, None));
            let open = config.rates.iter().map(|rate| (Mode::Open, config.pool_for(*rate), Some(*rate)));
            for (mode, users, rate) in closed.chain(open) {
                let mut scenario = Scenario {
                    id: String::new(),
                    index: 0,
                    mode,
                    replicas,
                    workers,
                    users,
                    rate,
                    repeat,
                    drift: false,
                };
                scenario.id = format!("{}-{repeat}", scenario.point_id());
                scenarios.push(scenario);
            }
        }
    }
    scenarios
}

/// Fisher and Yates's shuffle with SplitMix64, written out so that a seed gives the same order with every
/// version of this program.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_possible_truncation, reason = "smaller than the length, which is a usize")]
        let chosen = (mixed % (last as u64 + 1)) as usize;
        items.swap(last, chosen);
    }
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MatrixFlags, Preset, Settings, Until};

    fn config(preset: Preset) -> Config {
        Settings::from_flags(&MatrixFlags { preset: Some(preset), ..MatrixFlags::default() })
            .unwrap()
            .complete()
            .unwrap()
    }

    #[test]
    fn presets_have_their_documented_size() {
        for (preset, scenarios, minutes) in [
            (Preset::Smoke, 3, 7.0),
            (Preset::Baseline, 4, 10.0),
            (Preset::Full, 24, 58.0),
            (Preset::Quick, 4, 2.5),
        ] {
            let config = config(preset);
            let plan = Grid::of(&config);
            assert_eq!(plan.scenarios.len(), scenarios);
            let expected = plan.expected(&config).as_secs_f64() / 60.0;
            assert!((expected / minutes - 1.0).abs() <= 0.07, "{preset}: {expected} min");
        }
    }

    #[test]
    fn both_models_share_a_matrix_and_no_id() {
        let mut config = config(Preset::Quick);
        (config.replicas, config.users, config.rates) = (vec![1], vec![20], vec![12.5, 30.0]);
        let ids: Vec<_> = Grid::of(&config).scenarios.into_iter().map(|s| (s.id, s.users)).collect();
        let expected = [("closed-r1-w2-u20-1", 20), ("open-r1-w2-q12.5-1", 125), ("open-r1-w2-q30-1", 300)];
        assert_eq!(ids, expected.map(|(id, users)| (id.to_owned(), users)));
    }

    #[test]
    fn a_seed_draws_one_order_of_every_repeat() {
        let mut config = config(Preset::Quick);
        config.repeats = 3;
        let ids = |config: &Config| Grid::of(config).scenarios.into_iter().map(|s| s.id).collect::<Vec<_>>();
        let drawn = ids(&config);
        assert_eq!(drawn, ids(&config));
        assert_ne!(drawn, ids(&Config { seed: 2, ..config.clone() }));
        // What is recorded must mean the same order in every version.
        assert_eq!(drawn[..3], ["closed-r1-w2-u20-2", "closed-r2-w2-u20-2", "closed-r2-w2-u40-2"]);
        let mut sorted = drawn;
        sorted.sort();
        let mut listed = ids(&Config { shuffle: Some(false), ..config });
        assert_eq!(listed[..2], ["closed-r1-w2-u20-1", "closed-r1-w2-u40-1"]);
        listed.sort();
        assert_eq!(sorted, listed, "each of them once");
    }

    #[test]
    fn drift_is_the_first_scenario_once_more() {
        let config = Config { drift: true, ..config(Preset::Quick) };
        let scenarios = Grid::of(&config).scenarios;
        let (first, last) = (&scenarios[0], &scenarios[4]);
        assert_eq!((last.id.as_str(), last.repeat, last.index), ("closed-r1-w2-u20-drift", 2, 4));
        assert!(last.drift && last.point_id() == first.point_id());
    }

    #[test]
    fn the_times_of_a_plan_have_their_bounds() {
        let config = Config { until: Until::Stable, ..config(Preset::Smoke) };
        let plan = Grid::of(&config);
        let [shortest, expected, longest] =
            [plan.shortest(&config), plan.expected(&config), plan.longest(&config)].map(|d| d.as_secs());
        assert_eq!(expected - shortest, 3 * 90, "a quarter of 120 s at least");
        assert_eq!(longest - expected, 3 * 120, "twice 120 s at most");
        assert!(shortest * 2 <= expected, "smoke may end in half its time");
    }

    #[test]
    fn users_change_fastest_and_the_order_is_kept() {
        let mut config = config(Preset::Quick);
        config.replicas = vec![4, 1];
        let points: Vec<_> = Grid::of(&config).scenarios.iter().map(|s| (s.replicas, s.users)).collect();
        assert_eq!(points, [(4, 20), (4, 40), (1, 20), (1, 40)]);
    }

    fn outcome(scenario: &Scenario) -> Outcome {
        Outcome { scenario: scenario.clone(), is_valid: false, rps: None, p95_us: None }
    }

    #[test]
    fn a_grid_measures_each_scenario_once_and_in_order_wherever_it_is_resumed() {
        let grid = Grid::of(&config(Preset::Full));
        for recorded in 0..grid.scenarios.len() {
            let mut outcomes: Vec<_> = grid.scenarios[..recorded].iter().map(outcome).collect();
            while let Some(scenario) = grid.next(&outcomes) {
                assert_eq!(scenario, grid.scenarios[outcomes.len()]);
                outcomes.push(outcome(&scenario));
            }
            assert_eq!(outcomes.len(), grid.scenarios.len());
        }
    }

    /// Runs that were begun with an earlier version of this program can be resumed.
    #[test]
    fn the_hash_of_a_preset_never_changes() {
        let images = [("inference".to_owned(), "fake-inference:1".to_owned())];
        for (preset, hash) in [
            (Preset::Quick, "51d391638a01f7ae59060b154028cb4a2d9bcac36934b4c4ef2762fdb2c47909"),
            (Preset::Full, "1865129e47d9aa24b819e418238927c6c25c508e1041f6dbb58cc1c6ac9ebb5d"),
        ] {
            let config = config(preset);
            assert_eq!(Grid::of(&config).hash(&config, &images, "2.46.6"), hash, "{preset}");
        }
    }

    #[test]
    fn the_hash_covers_settings_images_and_generator() {
        let config = config(Preset::Quick);
        let plan = Grid::of(&config);
        let images = [("inference".to_owned(), "fake-inference:1".to_owned())];
        let hash = plan.hash(&config, &images, "2.46.6");
        assert_eq!(hash, plan.hash(&config, &images, "2.46.6"));
        assert_ne!(hash, plan.hash(&config, &images, "2.47.0"));
        assert_ne!(hash, plan.hash(&config, &[], "2.46.6"));
        let other = Config { warmup: crate::config::Span::from_secs(1), ..config.clone() };
        assert_ne!(hash, plan.hash(&other, &images, "2.46.6"));
    }
}
