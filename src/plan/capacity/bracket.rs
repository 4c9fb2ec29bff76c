//! The search without a law: between a load that meets the objective and one that does not.

use records::{Mode, Search};

use super::super::outcome::Worth;
use super::probe::Probe;
use super::rounded::Rounded;

/// The search ends when both loads are this close to each other.
pub(super) const CLOSE: f64 = 1.05;
/// Without a load that fails, the next one is this much greater.
const GROWTH: f64 = 2.0;
/// An overloaded service finishes as much as it can: this share of it is tried next.
const OF_FINISHED: f64 = 0.95;

/// The greatest load that passes, and the smallest one above it that does not.
pub(super) fn ends(probes: &[Probe]) -> (Option<f64>, Option<f64>) {
    let loads = |passes| probes.iter().filter(move |p| p.passes == Some(passes)).map(|probe| probe.load);
    let low = loads(true).reduce(f64::max);
    let high = loads(false).filter(|load| low.is_none_or(|low| *load > low)).reduce(f64::min);
    (low, high)
}

/// The next load; `None` if the search is over.
pub(super) fn bracket(search: &Search, probes: &[Probe]) -> Option<f64> {
    match ends(probes) {
        (Some(low), Some(high)) => between(search, low, high, probes),
        (Some(low), None) if low >= search.most => None,
        (Some(low), None) => Some(low * GROWTH),
        (None, Some(_)) => without_a_met_one(search, probes),
        // Nothing is known: a little less load may be clearer.
        (None, None) => probes.last().map(|probe| probe.load * 0.9),
    }
}

fn between(search: &Search, low: f64, high: f64, probes: &[Probe]) -> Option<f64> {
    let is_close = high <= CLOSE * low || (search.mode == Mode::Closed && high - low <= 1.0);
    if is_close {
        return None;
    }
    let overloaded = |probe: &&Probe| probe.load <= high && probe.worth == Worth::Exceeded;
    let finished = probes.iter().rev().find(overloaded).map(|probe| OF_FINISHED * probe.rps);
    let hint =
        finished.filter(|load| search.mode == Mode::Open && *load > CLOSE * low && CLOSE * *load < high);
    let middle = hint.unwrap_or_else(|| (low * high).sqrt());
    Some(if search.mode == Mode::Closed { middle.round().clamp(low + 1.0, high - 1.0) } else { middle })
}

/// No load passes yet: more of it if throughput is too low, else less of it. A service that is better with more users
/// gets more of them at the end.
fn without_a_met_one(search: &Search, probes: &[Probe]) -> Option<f64> {
    let by_load = |a: &&Probe, b: &&Probe| a.load.total_cmp(&b.load);
    let (smallest, greatest) = (probes.iter().min_by(by_load)?, probes.iter().max_by(by_load)?);
    let more = || (greatest.load < search.most).then_some(greatest.load * GROWTH);
    let lacks_load = |probe: &Probe| {
        probe.throughput.is_some_and(|ratio| ratio < 1.0) && probe.headroom.is_none_or(|ratio| ratio >= 1.0)
    };
    if probes.iter().all(lacks_load) {
        return more();
    }
    if probes.iter().any(lacks_load) {
        // Too little throughput at one load and too long response times at another: no load meets both, unless one
        // between them does.
        let low = probes.iter().filter(|probe| lacks_load(probe)).max_by(by_load)?.load;
        let high = probes.iter().filter(|probe| !lacks_load(probe) && probe.load > low).min_by(by_load)?.load;
        return between(search, low, high, probes);
    }
    let finished = OF_FINISHED * smallest.rps;
    let hint =
        (search.mode == Mode::Open && finished > 0.0 && finished < 0.9 * smallest.load).then_some(finished);
    let least = if search.mode == Mode::Closed { 1.0 } else { search.least().max(probes[0].load / 64.0) };
    if smallest.load > least {
        return Some(hint.unwrap_or(smallest.load / GROWTH).max(least));
    }
    let improves = greatest.headroom.zip(smallest.headroom).is_some_and(|(more, less)| more > 1.1 * less);
    if improves { more() } else { None }
}
