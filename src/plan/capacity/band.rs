//! What the probes of one number of replicas show.

use std::fmt;

use records::{Mode, Search};

use super::super::outcome::Worth;
use super::bracket::ends;
use super::law::{KNOWN, estimates, half_width, holds, mean};
use super::probe::{Probe, has_missed, is_generator_the_limit, made};
use super::rounded::{at_least, at_most};
use super::words::{load, load_of};
use crate::events::many;

/// What was found for one number of replicas.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The replicas.
    pub replicas: u32,
    /// What is searched: users, or requests/s.
    pub mode: Mode,
    /// Their capacity.
    pub capacity: Capacity,
    /// The number of probes.
    pub probes: usize,
}

/// The greatest load that meets the objective: users, or requests/s.
#[derive(Clone, Debug, PartialEq)]
pub enum Capacity {
    /// It is known.
    Known {
        /// The best estimate.
        load: f64,
        /// The lower end of its band.
        low: f64,
        /// The upper end of its band.
        high: f64,
        /// Whether a load just below it has met the objective, and one just above has missed it, both by more than
        /// chance.
        confirmed: bool,
        /// A smaller load that misses the objective: the service is better with more load.
        missed_below: Option<f64>,
    },
    /// The objective is met at this load, and what is above is not known.
    AtLeast {
        /// The greatest load that meets it.
        load: f64,
        /// Why nothing greater is known.
        limit: Limit,
        /// A smaller load that misses the objective.
        missed_below: Option<f64>,
    },
    /// No load that was tried meets the objective.
    NeverMet {
        /// The smallest load that was tried.
        least: f64,
        /// The greatest load that was tried.
        most: f64,
    },
    /// The probes do not tell.
    Unknown {
        /// Why not.
        limit: Limit,
        /// The smallest load that misses the objective; `None` if none is known to.
        missed: Option<f64>,
    },
}

/// What has ended a search before the capacity was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The greatest load that may be tried.
    MostLoad,
    /// The most probes.
    MostProbes,
    /// The most time.
    MostTime,
    /// The load generator cannot make more load.
    Generator,
    /// A probe could not be measured.
    NotMeasured,
    /// The measurements were not clear.
    Unclear,
    /// The search goes on, or the run was interrupted.
    Unfinished,
}

/// Whether the search of some replicas has come to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// No further probe is due.
    pub(super) is_done: bool,
    /// The time is over.
    pub(super) is_late: bool,
}

impl Found {
    /// What these probes show.
    pub(super) fn of(search: &Search, replicas: u32, probes: &[Probe], end: End) -> Self {
        let capacity = capacity(search, &made(probes), limit(search, probes, end));
        Self { replicas, mode: search.mode, capacity, probes: probes.len() }
    }
}

fn limit(search: &Search, probes: &[Probe], End { is_done, is_late }: End) -> Limit {
    let has_reached_the_most =
        || probes.iter().any(|probe| probe.load >= search.most && probe.passes == Some(true));
    if is_generator_the_limit(probes) {
        Limit::Generator
    } else if probes.iter().any(|probe| probe.worth == Worth::Nothing) {
        Limit::NotMeasured
    } else if !is_done {
        if is_late { Limit::MostTime } else { Limit::Unfinished }
    } else if has_reached_the_most() {
        Limit::MostLoad
    } else if probes.len() >= search.most_probes {
        Limit::MostProbes
    } else {
        Limit::Unclear
    }
}

fn capacity(search: &Search, probes: &[Probe], limit: Limit) -> Capacity {
    let (passing, failing) = ends(probes);
    let estimates = estimates(probes);
    // Without a load that misses, nothing has shown that the service is full.
    if holds(search, probes) && estimates.len() >= 2 && has_missed(probes) {
        return by_law(search.mode, probes, &estimates);
    }
    let missed_below = |passing: f64| {
        let least = probes.iter().filter(|probe| probe.passes == Some(true)).map(|probe| probe.load);
        let least = least.fold(passing, f64::min);
        // Where a smaller load passes, a miss between the two is chance.
        let below = probes.iter().filter(|probe| probe.passes == Some(false) && probe.load < least);
        below.map(|probe| probe.load).reduce(f64::max)
    };
    match (passing, failing) {
        (Some(low), Some(high)) => {
            let certain = |load: f64| probes.iter().any(|probe| probe.is_at(load) && probe.is_certain);
            let missed_below = missed_below(low);
            let confirmed = certain(low) && certain(high);
            Capacity::Known { load: low, low, high, confirmed, missed_below }
        }
        (Some(load), None) => Capacity::AtLeast { load, limit, missed_below: missed_below(load) },
        // Less load that was measured badly may meet it.
        (None, Some(missed))
            if matches!(limit, Limit::MostProbes | Limit::Unclear)
                && !probes.iter().any(|probe| probe.passes.is_none() && probe.load < missed) =>
        {
            let loads = probes.iter().filter(|probe| probe.passes == Some(false)).map(|probe| probe.load);
            let (least, most) = loads.fold((f64::INFINITY, 0.0), |(a, b), load| (load.min(a), load.max(b)));
            Capacity::NeverMet { least, most }
        }
        (None, missed) => Capacity::Unknown { limit, missed },
    }
}

/// The mean of the estimates, with Student's interval on their logarithm. Probes with a certain outcome make the interval
/// narrower, down to [`KNOWN`] on either side: the outcome of one run is certain for that run, and runs differ.
fn by_law(mode: Mode, probes: &[Probe], estimates: &[f64]) -> Capacity {
    let load = mean(estimates);
    let half = half_width(estimates);
    let certain = |passes| {
        let probes = probes.iter().filter(move |probe| probe.is_certain && probe.passes == Some(passes));
        probes.map(|probe| probe.load)
    };
    let met = certain(true).filter(|met| *met <= load).fold(0.0, f64::max);
    let missed = certain(false).filter(|missed| *missed >= load).fold(f64::INFINITY, f64::min);
    // Of a few users, the next whole number may be further away than a tenth.
    let next = if mode == Mode::Closed { 1.0 } else { 0.0 };
    let confirmed = met >= (0.9 * load).min(load - next) && missed <= (1.1 * load).max(load + next);
    let (least, most) = (met.min(load * (-KNOWN).exp()), missed.max(load * KNOWN.exp()));
    let (low, high) = ((load * (-half).exp()).max(least), (load * half.exp()).min(most));
    Capacity::Known { load, low, high, confirmed, missed_below: None }
}

impl Capacity {
    /// The load that is carried for sure, the best estimate, and the load that is not carried for sure, which is
    /// infinite if none is known.
    pub(crate) fn carried(&self) -> Option<(f64, f64, f64)> {
        match self {
            Self::Known { load, low, high, .. } => Some((*low, *load, *high)),
            Self::AtLeast { load, .. } => Some((*load, *load, f64::INFINITY)),
            Self::NeverMet { .. } | Self::Unknown { .. } => None,
        }
    }

    /// A smaller load that misses the objective.
    pub(super) fn missed_below(&self) -> Option<f64> {
        match self {
            Self::Known { missed_below, .. } | Self::AtLeast { missed_below, .. } => *missed_below,
            Self::NeverMet { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Found {
    /// `2 replicas carry 61 users [59, 63]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, replicas) = (self.mode, many(self.replicas, "replica"));
        let carry = if self.replicas == 1 { "carries" } else { "carry" };
        match &self.capacity {
            Capacity::Known { load: carried, low, high, confirmed, missed_below } => {
                let (low, high) = (load(mode, at_least(mode, *low)), load(mode, at_most(mode, *high)));
                write!(f, "{replicas} {carry} {} [{low}, {high}]", load_of(mode, at_least(mode, *carried)))?;
                if !confirmed {
                    f.write_str(match mode {
                        Mode::Closed => ", not confirmed by a probe on each side",
                        // One run of the open model has no interval.
                        Mode::Open => ", by single runs without an interval",
                    })?;
                }
                fewer_do_not(f, mode, *missed_below)
            }
            Capacity::AtLeast { load: carried, limit, missed_below } => {
                write!(f, "{replicas} {carry} at least {}: {limit}", load_of(mode, *carried))?;
                fewer_do_not(f, mode, *missed_below)
            }
            Capacity::NeverMet { least, most } => {
                let tried = if least < most {
                    format!("{} to {}", load(mode, *least), load_of(mode, *most))
                } else {
                    load_of(mode, *least)
                };
                write!(f, "{replicas} never met the objective, tried with {tried}")
            }
            Capacity::Unknown { limit, missed } => {
                write!(f, "what {replicas} {carry} is not known: {limit}")?;
                missed.map_or(Ok(()), |missed| {
                    write!(f, "; the objective is missed with {}", load_of(mode, missed))
                })
            }
        }
    }
}

fn fewer_do_not(f: &mut fmt::Formatter<'_>, mode: Mode, missed_below: Option<f64>) -> fmt::Result {
    missed_below.map_or(Ok(()), |missed| {
        let fewer = if mode == Mode::Closed { "fewer do not" } else { "less does not" };
        write!(f, "; {fewer}: {} miss the objective", load_of(mode, missed))
    })
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MostLoad => "more was not allowed",
            Self::MostProbes => "the number of probes was not enough",
            Self::MostTime => "the time was not enough",
            Self::Generator => "the load generator was at its limit",
            Self::NotMeasured => "a probe could not be measured",
            Self::Unclear => "the measurements do not tell",
            Self::Unfinished => "the search is not finished",
        })
    }
}
