//! The scenarios of a run, in order, and the hash that a resumed run must meet again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;

/// How load is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A fixed number of users, each waiting for its answer before the next request.
    Closed,
}

/// One point of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Names the scenario within its run, such as `closed-r2-w4-u200-1`.
    pub id: String,
    /// Place in the plan, from 0.
    pub index: usize,
    /// How load is offered.
    pub mode: Mode,
    /// Replicas of the service.
    pub replicas: u32,
    /// Locust workers.
    pub workers: u32,
    /// Simulated users.
    pub users: u32,
    /// Which repeat of the same point this is, from 1.
    pub repeat: u32,
}

/// All scenarios of a run, in order: replicas, then workers, then users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

impl Plan {
    /// The plan of a configuration.
    pub fn of(config: &Config) -> Self {
        let mut scenarios = Vec::new();
        for &replicas in &config.replicas {
            for &workers in &config.workers {
                for &users in &config.users {
                    scenarios.push(Scenario {
                        id: format!("closed-r{replicas}-w{workers}-u{users}-1"),
                        index: scenarios.len(),
                        mode: Mode::Closed,
                        replicas,
                        workers,
                        users,
                        repeat: 1,
                    });
                }
            }
        }
        Self { scenarios }
    }

    /// About how long the run takes: ramp, warm-up, window and cooldown of every scenario, and two
    /// seconds for scaling.
    pub fn expected(&self, config: &Config) -> Duration {
        self.scenarios.iter().map(|scenario| expected(scenario, config)).sum()
    }

    /// What a resumed run must have in common with the one it goes on from: scenarios, settings,
    /// images and Locust's version. 64 hex digits.
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
    use crate::config::{MatrixFlags, Preset, Settings};

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
            let plan = Plan::of(&config);
            assert_eq!(plan.scenarios.len(), scenarios);
            let expected = plan.expected(&config).as_secs_f64() / 60.0;
            assert!((expected - minutes).abs() <= 1.0, "{preset}: {expected} min");
        }
    }

    #[test]
    fn users_change_fastest_and_the_order_is_kept() {
        let mut config = config(Preset::Quick);
        config.replicas = vec![4, 1];
        let points: Vec<_> = Plan::of(&config).scenarios.iter().map(|s| (s.replicas, s.users)).collect();
        assert_eq!(points, [(4, 20), (4, 40), (1, 20), (1, 40)]);
    }

    #[test]
    fn the_hash_covers_settings_images_and_generator() {
        let config = config(Preset::Quick);
        let plan = Plan::of(&config);
        let images = [("inference".to_owned(), "fake-inference:1".to_owned())];
        let hash = plan.hash(&config, &images, "2.46.6");
        assert_eq!(hash, plan.hash(&config, &images, "2.46.6"));
        assert_ne!(hash, plan.hash(&config, &images, "2.47.0"));
        assert_ne!(hash, plan.hash(&config, &[], "2.46.6"));
        let other = Config { warmup: crate::config::Span::from_secs(1), ..config.clone() };
        assert_ne!(hash, plan.hash(&other, &images, "2.46.6"));
    }
}
