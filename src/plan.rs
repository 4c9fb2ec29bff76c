//! Which scenarios a run measures, in which order, and the hash that a resumed run must have again.

mod capacity;
mod grid;
mod needed;

use std::time::Duration;

use records::Scenario;

pub use capacity::{Capacity, Found, Limit, SearchPlan, confirmation_id, found};
pub(crate) use capacity::{load, load_of};
pub use grid::Grid;
pub use needed::{Carries, Needed, needed};

use crate::config::Config;
use crate::events::Progress;

/// What has been found out about a scenario: all that a plan may learn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The scenario that was measured.
    pub scenario: Scenario,
    /// What the measurement is worth to a plan.
    pub worth: Worth,
    /// Whether it meets the whole objective.
    pub objective: Meets,
    /// Successful requests of the primary endpoint per second; `None` if nothing was measured.
    pub rps: Option<f64>,
    /// Finished requests of all endpoints per second.
    pub all_rps: Option<f64>,
    /// P95 of the primary endpoint, µs; `None` if there are too few samples for it.
    pub p95_us: Option<u64>,
    /// The lowest ratio of a goal for a percentile to that percentile, over all of them. A failed request is
    /// infinitely slow, so that many of them give 0. `None` without such a goal, or without a figure.
    pub headroom: Option<f64>,
    /// The lowest ratio of a throughput to its goal. `None` without such a goal, or without a figure.
    pub throughput: Option<f64>,
    /// How long it took, s.
    pub took_s: f64,
}

/// What a measurement is worth to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Its figures can be used.
    Figures,
    /// The service failed requests, or fell behind: it cannot do more.
    Exceeded,
    /// The load generator cannot make this load.
    GeneratorLimited,
    /// Its figures do not tell enough.
    Unclear,
    /// Nothing was measured.
    Nothing,
}

/// Whether the objective is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meets {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// That cannot be told.
    Unknown,
}

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

/// The plan of a configuration.
pub fn plan_of(config: &Config) -> Box<dyn Plan> {
    match config.search() {
        Some(search) => Box::new(SearchPlan { search }),
        None => Box::new(Grid::of(config)),
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
