//! The named matrices.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::span::Span;

/// A named matrix, which the settings file and flags can change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Preset {
    /// 2 replicas, 4 workers, 200 to 800 users; 3 scenarios, about 7 min.
    Smoke,
    /// 2 and 4 replicas, 4 and 8 workers, 400 users; 4 scenarios, about 10 min.
    Baseline,
    /// 1 to 8 replicas, 4 and 8 workers, 200 to 800 users; 24 scenarios, about an hour.
    #[default]
    Full,
    /// 1 and 2 replicas, 2 workers, 20 and 40 users; 4 scenarios, about 2.5 min.
    Quick,
}

/// The settings of a preset.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresetDefaults {
    pub replicas: &'static [u32],
    pub workers: &'static [u32],
    pub users: &'static [u32],
    pub duration: Span,
    pub cooldown: Span,
}

impl Preset {
    const ALL: [(&'static str, Self); 4] =
        [("smoke", Self::Smoke), ("baseline", Self::Baseline), ("full", Self::Full), ("quick", Self::Quick)];

    pub(super) const fn defaults(self) -> PresetDefaults {
        let (replicas, workers, users): (&[u32], &[u32], &[u32]) = match self {
            Self::Smoke => (&[2], &[4], &[200, 400, 800]),
            Self::Baseline => (&[2, 4], &[4, 8], &[400]),
            Self::Full => (&[1, 2, 4, 8], &[4, 8], &[200, 400, 800]),
            Self::Quick => (&[1, 2], &[2], &[20, 40]),
        };
        let (duration, cooldown) = match self {
            Self::Quick => (20, 5),
            _ => (120, 15),
        };
        PresetDefaults {
            replicas,
            workers,
            users,
            duration: Span::from_secs(duration),
            cooldown: Span::from_secs(cooldown),
        }
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, preset)| preset).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("there is no preset '{text}'; the presets are {}", names.join(", "))
        })
    }
}

impl TryFrom<String> for Preset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Preset> for String {
    fn from(preset: Preset) -> Self {
        preset.to_string()
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, preset)| preset == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}
