//! What the service is meant to reach, and which rows reach it.

use records::Objective;

use super::findings::load_in_words;
use super::sentence::form;
use super::{Block, Section, Sentence};
use crate::events::many;
use crate::judge::{Goal, GoalOutcome, JudgedRun, Limited, Point, Row, outcome_of};
use crate::measure::percentile_name;

/// For each load, the fewest replicas that keep to every goal; `None` without a goal.
pub(super) fn section(run: &JudgedRun<'_>, points: &[Point<'_, '_>]) -> Option<Section> {
    let title = format!("Objective: {}", in_words(&run.rows.first()?.record.objective)?);
    let list = Block::list(outcomes(points));
    let otherwise = "No scenario is valid: there is nothing to say about it.";
    Some(Section::of_lists("objective", title, vec![list], otherwise))
}

/// Whether there is an objective.
pub(super) fn has_goals(run: &JudgedRun<'_>) -> bool {
    run.rows.first().is_some_and(|row| !Goal::all(&row.record.objective).is_empty())
}

/// All goals; `None` if there are none.
pub(super) fn in_words(objective: &Objective) -> Option<String> {
    let mut goals: Vec<String> = Goal::all(objective).iter().map(goal_in_words).collect();
    if !goals.is_empty() && objective.failures_pct.is_none() {
        goals.push(format!("at most {} % failed", objective.most_failures_pct()));
    }
    (!goals.is_empty()).then(|| goals.join(", "))
}

/// A goal for the title.
fn goal_in_words(goal: &Goal) -> String {
    let words = match goal.limited {
        Limited::Percentile(q) => format!("{} < {} ms", percentile_name(q), goal.limit),
        Limited::Failures => format!("at most {} % failed", goal.limit),
        Limited::Throughput => format!("at least {} successful requests/s", goal.limit),
    };
    goal.endpoint.as_ref().map_or(words.clone(), |endpoint| format!("{endpoint}: {words}"))
}

/// A sentence per outcome, with all loads that have it: from the fewest replicas that are enough to the most, then the
/// loads for which none are known to be enough.
pub(super) fn outcomes(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let mut outcomes: Vec<(Outcome<'_, '_>, Vec<String>)> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let is_known = points.iter().take(at).any(|earlier| earlier.has_load_of(point));
        let Some(load) = load_in_words(point).filter(|_| !is_known) else { continue };
        let outcome = outcome(point, points);
        match outcomes.iter_mut().find(|(known, _)| known.said == outcome.said) {
            Some((known, loads)) => {
                loads.push(load);
                known.cited.extend(outcome.cited);
            }
            None => outcomes.push((outcome, vec![load])),
        }
    }
    outcomes.sort_by_key(|(outcome, _)| outcome.enough.unwrap_or(u32::MAX));
    let sentences = outcomes.into_iter();
    sentences
        .map(|(Outcome { said, cited, .. }, loads)| {
            Sentence::about(cited, format!("{}: {said}.", loads.join("; ")))
        })
        .collect()
}

/// What is known of a load.
struct Outcome<'r, 'a> {
    /// The fewest measured replicas that keep to every goal.
    enough: Option<u32>,
    said: String,
    /// The rows that show it.
    cited: Vec<&'r Row<'a>>,
}

/// The fewest replicas that keep to every goal with the load of `point`.
fn outcome<'r, 'a>(point: &Point<'r, 'a>, points: &[Point<'r, 'a>]) -> Outcome<'r, 'a> {
    let mut same: Vec<_> = points.iter().filter(|other| other.has_load_of(point)).collect();
    same.sort_by_key(|point| point.replicas());
    let judged: Vec<_> = same.iter().map(|point| (*point, outcome_of(point, &objective(point)))).collect();
    let met = judged.iter().find(|(_, outcome)| *outcome == GoalOutcome::Met).map(|(point, _)| *point);
    let replicas = |point: &Point<'_, '_>| many(point.replicas(), "replica");
    // An unknown outcome below the replicas that are enough may still be enough.
    let unknown = judged.iter().find_map(|(point, outcome)| match outcome {
        GoalOutcome::Unknown { settle } => Some((*point, settle)),
        _ => None,
    });
    let unknown = unknown.filter(|(point, _)| met.is_none_or(|met| point.replicas() < met.replicas()));
    let of_repeats = |point: &Point<'_, '_>| match point.rows.len() {
        0 | 1 => String::new(),
        repeats => format!(" over {repeats} valid rows"),
    };
    let has_missed = judged.iter().any(|(_, outcome)| *outcome == GoalOutcome::Missed);
    let lacks_rows = same.iter().any(|point| !point.has_valid_row());
    let differ = same.len() > 1 && (has_missed || lacks_rows);
    if met.is_none() && (unknown.is_none() || differ) {
        // Each number of replicas has a reason of its own.
        let each: Vec<_> = judged.iter().map(|(point, outcome)| not_met(point, outcome)).collect();
        let each = each.join("; ");
        let said = if same.len() > 1 { format!("none is known to be enough ({each})") } else { each };
        return Outcome {
            enough: None,
            said,
            cited: same.iter().flat_map(|point| all_rows(point)).collect(),
        };
    }
    let mut cited = Vec::new();
    let mut said = Vec::new();
    if let Some(met) = met {
        let verb = form(met.replicas(), "meets", "meet");
        said.push(format!("{} {verb} the objective{}", replicas(met), of_repeats(met)));
        cited.extend(met.rows.clone());
    }
    if let Some((point, settle)) = unknown {
        let verb = form(point.replicas(), "meets", "meet");
        // The reasons stand in the section on verdicts; without them, more loads share a sentence.
        let settle = status_without_valid_row(point)
            .map_or_else(|| settle.clone(), |status| format!("no valid row ({status})"));
        said.push(format!(
            "whether {} {verb} the objective is unknown{}: {settle}",
            replicas(point),
            of_repeats(point)
        ));
        cited.extend(all_rows(point));
    }
    Outcome { enough: met.map(Point::replicas), said: said.join("; "), cited }
}

/// `2 replicas miss the objective (ERRORS)`, or `1 replica: unknown (FAILED)`, for an outcome that is not met.
fn not_met(point: &Point<'_, '_>, outcome: &GoalOutcome) -> String {
    let replicas = many(point.replicas(), "replica");
    let status = status_without_valid_row(point).map(|status| format!(" ({status})")).unwrap_or_default();
    if matches!(outcome, GoalOutcome::Unknown { .. }) {
        format!("{replicas}: unknown{status}")
    } else {
        format!("{replicas} {} the objective{status}", form(point.replicas(), "misses", "miss"))
    }
}

/// The verdict of the last row of a point without a valid one.
fn status_without_valid_row(point: &Point<'_, '_>) -> Option<&'static str> {
    let last = point.others.last().filter(|_| !point.has_valid_row());
    last.map(|row| row.judgement.verdict.status())
}

fn all_rows<'r, 'a>(point: &Point<'r, 'a>) -> impl Iterator<Item = &'r Row<'a>> {
    point.rows.iter().chain(&point.others).copied()
}

fn objective(point: &Point<'_, '_>) -> Objective {
    point.first().map(|row| row.record.objective.clone()).unwrap_or_default()
}
