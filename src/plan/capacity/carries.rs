//! The load that some replicas carry.

use records::Mode;

use super::rounded::{at_least, at_most};
use super::words::load;

/// What some replicas carry: users, or requests/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carries {
    /// The replicas.
    pub replicas: u32,
    /// The load that they carry, by the best estimate.
    pub load: f64,
    /// The lower end of its band.
    pub low: f64,
    /// The upper end of its band; infinite if nothing greater was measured.
    pub high: f64,
}

impl Carries {
    /// A load with the half-width of the interval of its logarithm.
    pub(super) fn of_log(replicas: u32, load: f64, half: f64) -> Self {
        Self { replicas, load, low: load * (-half).exp(), high: load * half.exp() }
    }

    /// Half the width of its band, in relation to the load; `None` if its upper end is not known.
    pub(super) fn relative_half(&self) -> Option<f64> {
        self.high.is_finite().then(|| (self.high - self.low) / 2.0 / self.load)
    }

    /// `905 [885, 925]`, or `at least 905`.
    pub fn in_words(&self, mode: Mode) -> String {
        if self.high.is_finite() {
            let [carried, low] = [self.load, self.low].map(|least| load(mode, at_least(mode, least)));
            format!("{carried} [{low}, {}]", load(mode, at_most(mode, self.high)))
        } else {
            format!("at least {}", load(mode, at_least(mode, self.load)))
        }
    }
}
