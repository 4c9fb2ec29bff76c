//! The plan of a matrix.

use std::collections::HashSet;
use std::time::Duration;

use records::{Mode, Scenario};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contract::{Plan, expected, hex};
use super::outcome::Outcome;
use crate::config::Config;

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

    fn scenarios(&self) -> Option<&[Scenario]> {
        Some(&self.scenarios)
    }

    fn is_open(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.rate.is_some())
    }

    fn most_users(&self) -> u32 {
        self.scenarios.iter().map(|scenario| scenario.users).max().unwrap_or(0)
    }

    fn remaining(&self, config: &Config, recorded: &[&str]) -> Duration {
        let left = self.scenarios.iter().filter(|scenario| !recorded.contains(&scenario.id.as_str()));
        left.map(|scenario| expected(scenario, config)).sum()
    }

    fn hash(&self, config: &Config, images: &[(String, String)], generator: &str) -> String {
        let text = serde_json::to_vec(&(self, config, images, generator)).unwrap_or_default();
        hex(&Sha256::digest(text))
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
}

/// Every point of the matrix, once.
fn points(config: &Config, repeat: u32) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for &replicas in &config.replicas {
        for &workers in &config.workers {
            let closed = config.users.iter().map(|users| (Mode::Closed, *users, None));
            let open =
                config.rates.iter().map(|rate| (Mode::Open, config.pool_for(*rate, workers), Some(*rate)));
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

#[cfg(test)]
mod tests;
