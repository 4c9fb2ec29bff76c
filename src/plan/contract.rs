//! What every plan does.

use std::time::Duration;

use records::Scenario;

use super::outcome::Outcome;
use crate::config::Config;
use crate::events::Progress;

/// Decides which scenario is measured next, as a pure function of the outcomes so far. A resumed run asks the
/// same plan with the outcomes that are recorded.
pub trait Plan: std::fmt::Debug + Send + Sync {
    /// The next scenario, or `None` if the run is complete.
    fn next(&self, outcomes: &[Outcome]) -> Option<Scenario>;

    /// The scenarios, if they are known beforehand.
    fn scenarios(&self) -> Option<&[Scenario]>;

    /// Whether the load generator needs the open model for it.
    fn is_open(&self) -> bool;

    /// The most users of any scenario.
    fn most_users(&self) -> u32;

    /// About how long it takes to measure what is not in `recorded`, a list of scenario ids.
    fn remaining(&self, config: &Config, recorded: &[&str]) -> Duration;

    /// The hash that a resumed run must share with the run it continues. It covers scenarios, settings, images
    /// and the version of the load generator. 64 hex digits.
    fn hash(&self, config: &Config, images: &[(String, String)], generator: &str) -> String;

    /// What the last outcome has shown, if the plan learns from it.
    fn learned(&self, _outcomes: &[Outcome]) -> Option<Progress> {
        None
    }

    /// The number of scenarios, if it is known beforehand.
    fn total(&self) -> Option<usize> {
        self.scenarios().map(<[Scenario]>::len)
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
