//! One probe of a search.

use super::super::outcome::{Meets, Outcome, Worth};

/// An estimate is used if the percentile is within this factor of its goal: only there is the law exact.
const NEAR: f64 = 1.5;

/// What one measurement tells a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Probe {
    /// Users, or requests/s.
    pub(super) load: f64,
    /// Whether it meets the objective; by its figures if the interval spans a goal. `None` if nothing can be told.
    pub(super) passes: Option<bool>,
    /// Whether the outcome is more than chance.
    pub(super) is_certain: bool,
    /// What the measurement is worth.
    pub(super) worth: Worth,
    /// See [`Outcome::headroom`].
    pub(super) headroom: Option<f64>,
    /// See [`Outcome::throughput`].
    pub(super) throughput: Option<f64>,
    /// See [`Outcome::rps`].
    pub(super) rps: f64,
    /// See [`Outcome::under_way`]; no more than the load.
    pub(super) under_way: f64,
}

impl Probe {
    pub(super) fn of(outcome: &Outcome, load: f64) -> Self {
        let Outcome { worth, objective, rps, under_way, headroom, throughput, .. } = *outcome;
        let by_figures = || {
            let ratios = [headroom, throughput];
            ratios.into_iter().flatten().reduce(f64::min).map(|lowest| lowest >= 1.0)
        };
        let passes = match (worth, objective) {
            (Worth::Figures, Meets::Met) => Some(true),
            (Worth::Exceeded, _) | (Worth::Figures, Meets::Missed) => Some(false),
            (Worth::Figures, Meets::Unknown) => by_figures(),
            _ => None,
        };
        let is_certain = worth == Worth::Exceeded || objective != Meets::Unknown;
        let (rps, under_way) = (rps.unwrap_or(0.0), under_way.map_or(load, |users| users.min(load)));
        Self { load, passes, is_certain, worth, headroom, throughput, rps, under_way }
    }

    pub(super) fn is_at(&self, load: f64) -> bool {
        (self.load - load).abs() < 1e-9
    }

    /// Whether it fails although no percentile is beyond its goal: requests failed, or throughput is too low.
    pub(super) fn is_cliff(&self) -> bool {
        self.passes == Some(false) && self.headroom.is_none_or(|headroom| headroom >= 1.0 || headroom <= 0.0)
    }

    /// Whether no request succeeded.
    pub(super) fn is_dead(&self) -> bool {
        self.worth == Worth::Exceeded && self.rps <= 0.0
    }

    /// Whether its percentile is so close to the goal that the law can be used.
    pub(super) fn is_near(&self) -> bool {
        let headroom = self.headroom.filter(|_| self.worth == Worth::Figures);
        headroom.is_some_and(|headroom| (1.0 / NEAR..=NEAR).contains(&headroom))
    }

    /// The users at which the percentile would be at its goal, by the law of a closed loop: the response time is in proportion
    /// to the users that do not think.
    pub(super) fn estimate(&self) -> Option<f64> {
        let headroom = self.headroom.filter(|_| self.worth == Worth::Figures)?;
        Some(self.under_way * headroom + self.thinking())
    }

    /// The users that think.
    pub(super) fn thinking(&self) -> f64 {
        self.load - self.under_way
    }
}

/// Whether the load generator is the limit: in two probes, because something else on the machine may have taken its
/// CPU during one.
pub(super) fn is_generator_the_limit(probes: &[Probe]) -> bool {
    probes.iter().filter(|probe| probe.worth == Worth::GeneratorLimited).count() >= 2
}

/// Whether this load was probed.
pub(super) fn is_probed(probes: &[Probe], load: f64) -> bool {
    probes.iter().any(|probe| probe.is_at(load))
}

/// Whether a load misses the objective.
pub(super) fn has_missed(probes: &[Probe]) -> bool {
    probes.iter().any(|probe| probe.passes == Some(false))
}

/// The probes whose load was made: they alone tell something about the service.
pub(super) fn made(probes: &[Probe]) -> Vec<Probe> {
    probes.iter().filter(|probe| probe.worth != Worth::GeneratorLimited).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_takes_probes_whose_percentile_is_near_its_goal() {
        let with = |headroom, worth| Probe {
            load: 8.0,
            passes: None,
            is_certain: false,
            worth,
            headroom,
            throughput: None,
            rps: 1.0,
            under_way: 8.0,
        };
        let is_near = |headroom| with(Some(headroom), Worth::Figures).is_near();
        assert_eq!([0.6, 0.7, 1.0, 1.4, 1.6].map(is_near), [false, true, true, true, false]);
        assert!(!with(None, Worth::Figures).is_near() && !with(Some(1.0), Worth::Exceeded).is_near());
    }
}
