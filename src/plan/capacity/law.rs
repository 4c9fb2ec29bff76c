//! The operational law of a closed loop: beyond its knee, response times grow in proportion to the users.

use records::{Mode, Search};

use super::bracket::ends;
use super::probe::{Probe, has_missed, is_probed};
use super::rounded::Rounded;

/// The first guess aims a little lower, so that it does not overload the service.
const FIRST_GUESS: f64 = 0.9;
/// The estimates have settled when one more moves their mean by less than this.
const SETTLED: f64 = 0.02;
/// Estimates that differ by more than this factor follow no law.
const SAME_LAW: f64 = 1.3;
/// The most by which a probe may differ from the one before it while no percentile is near its goal.
const STEP: f64 = 4.0;
/// A service that is not known to be full is tried with so much more load, at least.
const LEAST_STEP: f64 = 2.0;
/// The confirming pair: a load below the capacity, which must meet the objective, and one above, which must miss it.
const PAIR: (f64, f64) = (0.95, 1.05);

/// Errors of floating point are smaller, and parts of a user that matter are greater.
const TINY: f64 = 1e-6;
/// Loads that differ by more than this factor must not have response times that fall, by more than [`FALLS`].
const APART: f64 = 1.3;
/// See [`APART`].
const FALLS: f64 = 1.1;

/// A service has free slots if this share of more load is also more throughput.
const GROWS: f64 = 0.7;

/// A capacity is known if its interval is no wider than this, on either side.
pub(super) const KNOWN: f64 = 0.05;
/// Once the capacity has settled, no more probes than this refine and confirm it.
const MOST_REFINED: usize = 7;
/// The two-sided 95 % quantile of Student's t with 1 to 8 degrees of freedom.
const T_975: [f64; 8] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306];

/// What the law says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Law {
    /// Probe this load.
    Probe(f64),
    /// The capacity is known.
    Done,
    /// It does not hold here.
    Broken,
}

/// The estimates of the capacity: one from each probe near the goal. The first probe only tells the throughput.
pub(super) fn estimates(probes: &[Probe]) -> Vec<f64> {
    let near = probes.iter().skip(1).filter(|probe| probe.is_near());
    near.filter_map(Probe::estimate).collect()
}

/// Whether the law holds for these probes.
pub(super) fn holds(search: &Search, probes: &[Probe]) -> bool {
    let estimates = estimates(probes);
    let (least, most) = range(&estimates);
    search.mode == Mode::Closed
        && search.goal_s.is_some()
        && !probes.iter().any(Probe::is_cliff)
        && !probes.iter().any(|one| probes.iter().any(|other| is_better_with_more(one, other)))
        && !probes.iter().any(|one| probes.iter().any(|other| is_not_full(one, other)))
        && (estimates.is_empty() || most <= SAME_LAW * least)
}

/// Whether the response times of the greater of two loads are clearly shorter.
fn is_better_with_more(smaller: &Probe, greater: &Probe) -> bool {
    let falls = |(smaller, greater): (f64, f64)| greater > FALLS * smaller;
    greater.load > APART * smaller.load && smaller.headroom.zip(greater.headroom).is_some_and(falls)
}

/// Whether throughput still grows with the users under way at the greater of two loads, whose percentile is near its goal:
/// the service has free slots there, and its response times do not yet follow the law. Users that think are not counted:
/// with them, throughput grows far beyond the knee.
fn is_not_full(smaller: &Probe, greater: &Probe) -> bool {
    greater.is_near() && grows(smaller, greater) == Some(true)
}

/// Whether throughput grows little, although far more users are under way at the greater of two loads.
fn is_full(smaller: &Probe, greater: &Probe) -> bool {
    grows(smaller, greater) == Some(false)
}

/// Whether throughput grows with the users under way; `None` if hardly more of them are under way.
fn grows(smaller: &Probe, greater: &Probe) -> Option<bool> {
    let more = greater.under_way / smaller.under_way;
    (more > APART).then_some(greater.rps > smaller.rps * (1.0 + GROWS * (more - 1.0)))
}

/// What the law says after these probes; there must be one.
pub(super) fn law(search: &Search, probes: &[Probe]) -> Law {
    let (Some(first), Some(last)) = (probes.first(), probes.last()) else { return Law::Broken };
    if !holds(search, probes) {
        return Law::Broken;
    }
    let guess = FIRST_GUESS * (first.rps * search.goal_s.unwrap_or(0.0) + first.thinking());
    let has_guess = probes.len() == 1 && first.passes == Some(true) && guess > first.load * LEAST_STEP;
    if !has_guess && let Some(load) = more_until_full(search, probes) {
        return Law::Probe(load);
    }
    if let Some(capacity) = settled(probes) {
        // It may have settled so late that its pair is not complete. The answer says so.
        if probes.len() >= MOST_REFINED && has_missed(probes) {
            return Law::Done;
        }
        return match pair(search, capacity, probes) {
            Law::Done => refined(&estimates(probes)),
            missing => missing,
        };
    }
    let estimates = estimates(probes);
    if !estimates.is_empty() {
        let mean = search.rounded(mean(&estimates));
        // A capacity of few users has no other whole number of users near it.
        return if is_probed(probes, mean) { pair(search, mean, probes) } else { Law::Probe(mean) };
    }
    let has_met = probes.iter().any(|probe| probe.passes == Some(true));
    if has_met && has_missed(probes) && probes.len() > 2 {
        // From much better than the goal to much worse. If the law holds, it tells the load between the two; else it is a jump.
        return between_the_ends(search, probes).map_or(Law::Broken, Law::Probe);
    }
    let estimate = last.estimate().map(|load| load.clamp(last.load / STEP, last.load * STEP));
    let load = if has_guess { Some(guess) } else { estimate };
    match load.map(|load| search.rounded(load)) {
        Some(load) if !is_probed(probes, load) => Law::Probe(load),
        _ => Law::Broken,
    }
}

/// What the smallest load that misses says about the capacity, if that is more than what passes and was not probed.
fn between_the_ends(search: &Search, probes: &[Probe]) -> Option<f64> {
    let (low, high) = ends(probes);
    let (low, high) = (low?, high?);
    let load = search.rounded(probes.iter().find(|probe| probe.is_at(high))?.estimate()?);
    (low < load && load < high && !is_probed(probes, load)).then_some(load)
}

/// The next load while every load has met the objective and none has filled the service; `None` otherwise. Until then, the law
/// gives a lower bound only. With users that think, or with a goal near the unloaded response time, that bound is hardly above
/// the last load, so the next load is at least [`LEAST_STEP`] times the last one.
fn more_until_full(search: &Search, probes: &[Probe]) -> Option<f64> {
    let last = probes.last()?;
    let is_full = |one: &Probe| probes.iter().any(|other| is_full(other, one));
    if probes.iter().any(|probe| probe.passes != Some(true) || is_full(probe)) {
        return None;
    }
    let load = search.rounded(last.load * last.headroom?.clamp(LEAST_STEP, STEP));
    (!is_probed(probes, load)).then_some(load)
}

/// The capacity once the estimates have settled, and never another one after that.
fn settled(probes: &[Probe]) -> Option<f64> {
    (3..=probes.len()).find_map(|count| {
        let all = estimates(&probes[..count]);
        let before = estimates(&probes[..count - 1]);
        let has_moved = |by: f64| by.abs() >= SETTLED;
        if before.is_empty() || all.len() == before.len() {
            return None;
        }
        (!has_moved(mean(&all).ln() - mean(&before).ln())).then(|| mean(&all))
    })
}

/// The next of the confirming pair that is not measured.
fn pair(search: &Search, capacity: f64, probes: &[Probe]) -> Law {
    // With rounding errors, 0.95 · 40 may come out just below 38.
    let below = search.rounded((PAIR.0 * capacity + TINY).floor());
    let above = search.rounded((PAIR.1 * capacity - TINY).ceil());
    let missing = [below, above].into_iter().find(|load| !is_probed(probes, *load));
    match missing {
        Some(load) => Law::Probe(load),
        None if has_missed(probes) => Law::Done,
        // Far more load shows whether the service is full at all.
        None => Law::Broken,
    }
}

/// Another probe at the capacity while it is known badly.
fn refined(estimates: &[f64]) -> Law {
    if half_width(estimates) <= KNOWN { Law::Done } else { Law::Probe(mean(estimates)) }
}

/// Half of Student's 95 % interval of the mean of the estimates, on the logarithm; there must be two of them.
pub(super) fn half_width(estimates: &[f64]) -> f64 {
    let (mean, count) = (mean(estimates), estimates.len() as f64);
    let squares: f64 = estimates.iter().map(|value| (value / mean).ln().powi(2)).sum();
    let t = T_975[estimates.len().saturating_sub(2).min(T_975.len() - 1)];
    t * (squares / (count * (count - 1.0))).sqrt()
}

/// The geometric mean.
pub(super) fn mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len().max(1) as f64).exp()
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, 0.0), |(least, most), value| (value.min(least), value.max(most)))
}
