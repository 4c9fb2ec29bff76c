//! The search for capacities: for each number of replicas, the greatest load that meets the objective.
//!
//! It asks whether a load is feasible, never for the best point of a noisy curve. Beyond the knee of a closed loop,
//! response times grow in proportion to the users, so that each probe gives an estimate of the capacity ([`law`]).
//! Without such a law, for example if the service fails requests instead of letting them wait, the load is found by
//! bisection ([`bracket`]).

mod band;
mod bracket;
mod carries;
mod law;
mod needed;
mod probe;
mod rounded;
mod usl;
mod words;

use std::time::Duration;

use records::{Mode, Scenario, Search};
use sha2::{Digest, Sha256};

use band::End;
pub use band::{Capacity, Found, Limit};
use bracket::bracket;
pub use carries::Carries;
use law::{Law, law};
pub use needed::{Needed, needed, scaling};
use probe::{Probe, is_generator_the_limit, is_probed, made};
use rounded::{Rounded, whole};
pub(crate) use rounded::{at_least, at_most};
pub use usl::{Parameter, Scaling};
pub(crate) use words::load_of;

use super::contract::{Plan, expected, hex};
use super::outcome::{Outcome, Worth};
use crate::config::{Config, pool_for};
use crate::events::Progress;

/// Users of the first probe per replica: enough to fill the slots of most services.
const FIRST_USERS: f64 = 8.0;
/// Requests per second of the first probe per replica.
const FIRST_RATE: f64 = 10.0;
/// A search of one number of replicas ends after this many measurements that do not tell enough.
const MOST_UNCLEAR: usize = 2;
/// A search of one number of replicas ends after this many loads of which no request succeeded: something else than load is
/// wrong.
const MOST_DEAD: usize = 2;
/// Probes that one number of replicas usually takes, for the expected time.
const USUAL_PROBES: u32 = 6;

/// A plan that learns: each probe depends on the outcomes of the earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchPlan {
    /// What is searched, and its bounds.
    pub search: Search,
}

/// The search as far as the outcomes go.
struct Replay {
    /// The probes of each number of replicas, in the order of the search.
    probes: Vec<(u32, Vec<Probe>)>,
    /// The next scenario; `None` if the search is over.
    next: Option<Scenario>,
    /// Whether it is over because of the time.
    is_late: bool,
}

impl Plan for SearchPlan {
    fn next(&self, outcomes: &[Outcome]) -> Option<Scenario> {
        replay(&self.search, outcomes).next
    }

    fn scenarios(&self) -> Option<&[Scenario]> {
        None
    }

    fn is_open(&self) -> bool {
        self.search.mode == Mode::Open
    }

    fn most_users(&self) -> u32 {
        match self.search.mode {
            Mode::Closed => whole(self.search.most),
            Mode::Open => pool(&self.search, self.search.most),
        }
    }

    fn remaining(&self, config: &Config, recorded: &[&str]) -> Duration {
        let each: Duration = self.search.replicas.iter().map(|replicas| self.usual(*replicas, config)).sum();
        let count = u32::try_from(self.search.replicas.len()).unwrap_or(u32::MAX).max(1);
        let done = each / count * u32::try_from(recorded.len()).unwrap_or(u32::MAX);
        (each * USUAL_PROBES).saturating_sub(done)
    }

    fn hash(&self, config: &Config, images: &[(String, String)], generator: &str) -> String {
        let text = serde_json::to_vec(&(&self.search, config, images, generator)).unwrap_or_default();
        hex(&Sha256::digest(text))
    }

    fn learned(&self, outcomes: &[Outcome]) -> Option<Progress> {
        let last = outcomes.iter().max_by_key(|outcome| outcome.scenario.index)?;
        let replay = replay(&self.search, outcomes);
        let Scenario { replicas, users, rate, .. } = last.scenario;
        let probes = &replay.probes.iter().find(|(of, _)| *of == replicas)?.1;
        let number = 1 + probes.iter().position(|probe| is_load(probe.load, &last.scenario))?;
        let next = replay.next.as_ref().filter(|next| next.replicas == replicas);
        let found = next.is_none().then(|| found_of(&self.search, replicas, probes, replay.is_late));
        Some(Progress::ProbeEnded {
            probe: number,
            replicas,
            users,
            rate,
            p95_us: last.p95_us,
            outcome: words::outcome(last).to_owned(),
            next: next.map(|next| next.rate.unwrap_or_else(|| f64::from(next.users))),
            found: found.map(|found| found.to_string()),
        })
    }
}

impl SearchPlan {
    /// How long a probe of this number of replicas usually takes.
    fn usual(&self, replicas: u32, config: &Config) -> Duration {
        let scenario = scenario(&self.search, replicas, first(&self.search, replicas) * 4.0, 0);
        let saved =
            config.shortest().map_or(Duration::ZERO, |least| config.duration.get().saturating_sub(least));
        expected(&scenario, config).saturating_sub(saved)
    }
}

/// What the outcomes show about each number of replicas, in the order of the search.
pub fn found(search: &Search, outcomes: &[Outcome]) -> Vec<Found> {
    let replay = replay(search, outcomes);
    let found = |(replicas, probes): &(u32, Vec<Probe>)| found_of(search, *replicas, probes, replay.is_late);
    let begun = replay.probes.iter().map(found);
    let not_begun = search.replicas.iter().skip(replay.probes.len());
    begun.chain(not_begun.map(|replicas| found_of(search, *replicas, &[], replay.is_late))).collect()
}

fn found_of(search: &Search, replicas: u32, probes: &[Probe], is_late: bool) -> Found {
    Found::of(search, replicas, probes, End { is_done: is_over(search, probes), is_late })
}

/// Goes through the search again. Each probe's outcome is found by its id, so that none is measured twice, and so
/// that the order of the outcomes does not matter.
fn replay(search: &Search, outcomes: &[Outcome]) -> Replay {
    let mut replay = Replay { probes: Vec::new(), next: None, is_late: false };
    let mut measured = 0;
    let mut took_s = 0.0;
    for &replicas in &search.replicas {
        let mut probes = Vec::new();
        while let Some(load) = next_load(search, replicas, &probes) {
            let scenario = scenario(search, replicas, load, measured);
            replay.is_late = search.most_s.is_some_and(|most_s| took_s >= most_s);
            let outcome = outcomes.iter().find(|outcome| outcome.scenario.id == scenario.id);
            let Some(outcome) = outcome else {
                replay.next = (!replay.is_late).then_some(scenario);
                if !probes.is_empty() {
                    replay.probes.push((replicas, probes));
                }
                return replay;
            };
            probes.push(Probe::of(outcome, load));
            measured += 1;
            took_s += outcome.took_s;
        }
        replay.probes.push((replicas, probes));
    }
    replay.next = confirmations(search, &replay, measured)
        .into_iter()
        .find(|scenario| !outcomes.iter().any(|outcome| outcome.scenario.id == scenario.id));
    replay
}

/// The scenarios that confirm the answer: the replicas that are needed, with the load that is wanted.
fn confirmations(search: &Search, replay: &Replay, index: usize) -> Vec<Scenario> {
    let Some(wanted) = search.wanted.filter(|_| search.confirm) else { return Vec::new() };
    let found: Vec<_> = replay
        .probes
        .iter()
        .map(|(replicas, probes)| found_of(search, *replicas, probes, replay.is_late))
        .collect();
    match needed(&found, wanted, search.confirm) {
        Needed::Replicas { carries, .. } => confirming(search, carries.replicas, index),
        Needed::TooLittle { .. } | Needed::NotKnown { .. } | Needed::Nothing => Vec::new(),
    }
}

/// The scenarios that confirm these replicas, from this index on; none if that is not asked for.
fn confirming(search: &Search, replicas: u32, index: usize) -> Vec<Scenario> {
    let Some(wanted) = search.wanted.filter(|_| search.confirm) else { return Vec::new() };
    let repeats = (1..=search.confirmations).zip(index..);
    repeats.map(|(repeat, index)| repeated(search, replicas, wanted, index, repeat)).collect()
}

/// The ids of the scenarios that confirm the answer; none if that is not asked for.
pub fn confirmation_ids(search: &Search, replicas: u32) -> Vec<String> {
    confirming(search, replicas, 0).into_iter().map(|scenario| scenario.id).collect()
}

/// The scenario of a load.
fn scenario(search: &Search, replicas: u32, load: f64, index: usize) -> Scenario {
    repeated(search, replicas, load, index, 1)
}

fn repeated(search: &Search, replicas: u32, load: f64, index: usize, repeat: u32) -> Scenario {
    let (users, rate) = match search.mode {
        Mode::Closed => (whole(load), None),
        Mode::Open => (pool(search, load), Some(load)),
    };
    let (mode, workers) = (search.mode, search.workers);
    let mut scenario =
        Scenario { id: String::new(), index, mode, replicas, workers, users, rate, repeat, drift: false };
    scenario.id = format!("{}-{repeat}", scenario.point_id());
    scenario
}

/// Whether no further probe of these replicas is due.
fn is_over(search: &Search, probes: &[Probe]) -> bool {
    // The replicas only decide on the first load.
    next_load(search, 1, probes).is_none()
}

/// The load of the next probe; `None` if the search of this number of replicas is over.
fn next_load(search: &Search, replicas: u32, probes: &[Probe]) -> Option<f64> {
    let Some(last) = probes.last() else { return Some(search.rounded(first(search, replicas))) };
    if probes.len() >= search.most_probes || is_generator_the_limit(probes) {
        return None;
    }
    if last.worth == Worth::GeneratorLimited {
        return unprobed(search, last.load, probes);
    }
    let known = made(probes);
    let nothing = known.iter().any(|probe| probe.worth == Worth::Nothing);
    let unclear = known.iter().filter(|probe| probe.passes.is_none()).count();
    if nothing || unclear > MOST_UNCLEAR || (known.len() >= MOST_DEAD && known.iter().all(Probe::is_dead)) {
        return None;
    }
    let load = match law(search, &known) {
        Law::Probe(load) => Some(load),
        Law::Done => return None,
        Law::Broken => bracket(search, &known),
    };
    unprobed(search, search.rounded(load?), probes)
}

/// This load, or a neighbour if it was probed already; `None` if its neighbours were, too.
fn unprobed(search: &Search, load: f64, probes: &[Probe]) -> Option<f64> {
    let step = if search.mode == Mode::Closed { (load * 0.03).ceil() } else { load * 0.03 };
    let near = [load, load - step, load + step, load - 2.0 * step, load + 2.0 * step];
    near.into_iter().map(|load| search.rounded(load)).find(|load| !is_probed(probes, *load))
}

fn first(search: &Search, replicas: u32) -> f64 {
    let each = if search.mode == Mode::Closed { FIRST_USERS } else { FIRST_RATE };
    each * f64::from(replicas)
}

fn is_load(load: f64, scenario: &Scenario) -> bool {
    (load - scenario.rate.unwrap_or_else(|| f64::from(scenario.users))).abs() < 1e-9
}

/// Users for this rate, as [`Config::pool_for`] has it.
fn pool(search: &Search, rate: f64) -> u32 {
    search.pool.unwrap_or_else(|| pool_for(rate, search.workers).clamp(1, search.most_pool))
}

#[cfg(test)]
mod tests;
