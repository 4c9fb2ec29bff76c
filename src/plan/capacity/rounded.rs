//! Loads as they can be measured: whole users, and rates with one decimal below 100.

use records::{Mode, Search};

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(super) fn whole(load: f64) -> u32 {
    load.round() as u32
}

/// Smaller differences are errors of floating point.
const TINY: f64 = 1e-6;

/// The users that a load is at least: a part of a user carries nothing.
pub(crate) fn at_least(mode: Mode, load: f64) -> f64 {
    if mode == Mode::Closed { (load + TINY).floor() } else { load }
}

/// The users that a load is at most.
pub(crate) fn at_most(mode: Mode, load: f64) -> f64 {
    if mode == Mode::Closed { (load - TINY).ceil() } else { load }
}

/// What rounds loads to those that can be offered.
pub(super) trait Rounded {
    /// The nearest load that can be offered, within the bounds: whole users, or a rate of three digits.
    fn rounded(&self, load: f64) -> f64;
    /// The smallest load.
    fn least(&self) -> f64;
}

impl Rounded for Search {
    fn rounded(&self, load: f64) -> f64 {
        let load = if load.is_finite() { load } else { self.most };
        let load = match self.mode {
            Mode::Closed => load.round(),
            Mode::Open => {
                let digit = 10_f64.powf(load.max(0.1).log10().floor() - 2.0);
                // Rounded once more, because the product of a whole number and 0.1 has a long tail of digits.
                ((load / digit).round() * digit * 1000.0).round() / 1000.0
            }
        };
        load.min(self.most).max(self.least())
    }

    fn least(&self) -> f64 {
        if self.mode == Mode::Closed { 1.0 } else { 0.1 }
    }
}
