//! Which goals are met, for programs and for the exit code.

use std::collections::BTreeMap;

use records::{Gate, Objective, Scenario};

use super::answer::Answer;
use super::certainty::{Certainty, certainty_of_point, goodput_of_point};
use super::check::Check;
use super::goal::{Goal, Limited};
use super::goals::{GoalOutcome, outcome_of_goal};
use super::judged::Judged;
use super::points::{Point, points};
use super::row::Row;
use super::run::JudgedRun;
use super::verdict::{Judgement, Verdict};
use crate::exit::ExitCode;
use crate::plan::{Capacity, Meets, Needed};

/// Every goal of every point in the order of the plan; of a search, its answers.
pub fn checks<'r>(run: &'r JudgedRun<'_>) -> &'r [Check] {
    run.checks.get_or_init(|| all_checks(run))
}

fn all_checks(run: &JudgedRun<'_>) -> Vec<Check> {
    let Some(first) = run.rows.first() else { return Vec::new() };
    let gates = &first.record.environment.question.gates;
    match Answer::of(run) {
        Some(answer) => of_search(&answer, gates),
        None => of_points(run, gates),
    }
}

/// The exit code of a run, with a sentence for each check that does not let it succeed. A row without figures
/// outweighs a missed objective.
pub fn exit_code(run: &JudgedRun<'_>) -> (ExitCode, Vec<String>) {
    let question = run.rows.first().map(|row| &row.record.environment.question);
    let unknown_passes = question.is_some_and(|question| question.unknown_passes);
    let checks = checks(run);
    let mut reasons: Vec<String> = Vec::new();
    for check in checks.iter().filter(|check| check.is_gated) {
        let Check { subject, goal, detail, .. } = check;
        match check.meets {
            Meets::Met => {}
            Meets::Missed => reasons.push(format!("objective missed: {subject}: {goal}: {detail}")),
            Meets::Unknown if unknown_passes => {}
            Meets::Unknown => reasons.push(format!(
                "objective unknown: {subject}: {goal}: {detail} (--unknown pass lets it pass)"
            )),
        }
    }
    let has_objective = run.rows.first().is_some_and(|row| !row.record.objective.is_empty());
    let has_gates = question.is_some_and(|question| !question.gates.is_empty());
    if has_gates && has_objective && !unknown_passes && !checks.iter().any(|check| check.is_gated) {
        reasons.push("objective unknown: no row is selected by --gate".to_owned());
    }
    if question.is_some_and(|question| question.search.is_some()) {
        let failed = run.rows.iter().find(|row| row.has_failed());
        reasons.splice(0..0, failed.map(failed_probe));
    }
    let code = if run.has_failure() {
        ExitCode::Scenario
    } else if reasons.is_empty() {
        ExitCode::Success
    } else {
        ExitCode::Threshold
    };
    (code, reasons)
}

/// A probe that ends a search with exit code 5, and what to do about it.
fn failed_probe(judged: &Judged<'_>) -> String {
    let Judgement { verdict, reasons, .. } = &judged.judgement;
    let next = judged.judgement.next_step().unwrap_or("read the reasons of its row");
    // If every request has failed, the search has learned that this load is too much.
    let then = match (verdict, judged.record.window.is_some()) {
        (Verdict::Failed, true) => "the search has counted it as too much load",
        _ => "then search again",
    };
    let name = Row::of(judged).name();
    format!("probe {}: {name}: {}: {next}; {then}", verdict.status(), reasons.join("; "))
}

fn of_points(run: &JudgedRun<'_>, gates: &[Gate]) -> Vec<Check> {
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    let points = points(&rows);
    let ids: Vec<String> = rows.iter().map(|row| row.record.scenario.point_id()).collect();
    let id_of = |point: &Point<'_, '_>| point.rows.first().map(|row| row.record.scenario.point_id());
    let valid: BTreeMap<String, &Point<'_, '_>> =
        points.iter().filter_map(|point| Some((id_of(point)?, point))).collect();
    let mut checks = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let id = &ids[at];
        if ids[..at].contains(id) {
            continue;
        }
        let same: Vec<&Row<'_>> =
            rows.iter().zip(&ids).filter(|(_, other)| *other == id).map(|(row, _)| row).collect();
        for goal in Goal::all(&row.record.objective) {
            let (meets, detail) = match valid.get(id) {
                Some(point) => of_valid(point, &goal),
                None => of_verdict(&same, &goal, &row.record.objective),
            };
            checks.push(Check {
                subject: row.point(),
                scenarios: same.iter().map(|row| row.record.scenario.id.clone()).collect(),
                goal: goal.to_string(),
                meets,
                detail,
                is_gated: is_selected(gates, &row.record.scenario),
            });
        }
    }
    checks
}

fn of_valid(point: &Point<'_, '_>, goal: &Goal) -> (Meets, String) {
    let figure = figure(point, goal);
    match outcome_of_goal(point, goal) {
        GoalOutcome::Met => (Meets::Met, figure),
        GoalOutcome::Missed => (Meets::Missed, figure),
        GoalOutcome::Unknown { settle } => (Meets::Unknown, format!("{figure}; {settle}")),
    }
}

/// The figure that a goal is about, with its interval.
fn figure(point: &Point<'_, '_>, goal: &Goal) -> String {
    let in_words = |certainty: Certainty, scale: f64, unit: &str| {
        let number = |value: f64| format!("{:.1}", value / scale);
        let value = match certainty.value {
            Some(value) if value.is_infinite() => "infinite, because requests failed".to_owned(),
            Some(value) => format!("{} {unit}", number(value)),
            None => "not measured".to_owned(),
        };
        let bounds = certainty.bounds.ok().map(|b| format!(" [{}, {}]", number(b.low), number(b.high)));
        value + &bounds.unwrap_or_default()
    };
    match (goal.limited, &goal.endpoint) {
        (Limited::Percentile(q), None) => in_words(certainty_of_point(point, q), 1000.0, "ms"),
        (Limited::Throughput, None) => in_words(goodput_of_point(point), 1.0, "requests/s"),
        _ => "measured over the whole window".to_owned(),
    }
}

/// The outcome of a point that has no valid row.
fn of_verdict(rows: &[&Row<'_>], goal: &Goal, objective: &Objective) -> (Meets, String) {
    let Some(row) = rows.last() else { return (Meets::Unknown, String::new()) };
    let verdict = row.judgement.verdict;
    let is_latency = matches!(goal.limited, Limited::Percentile(_));
    let is_failures = goal.limited == Limited::Failures && goal.endpoint.is_none();
    let meets = match verdict {
        // A failed request is infinitely slow, and a service that falls behind answers later and later.
        Verdict::Errors if is_latency || is_failures || objective.failures_pct.is_none() => Meets::Missed,
        Verdict::Overloaded if is_latency => Meets::Missed,
        _ => Meets::Unknown,
    };
    (meets, format!("{}: {}", verdict.status(), row.judgement.reasons.join("; ")))
}

fn of_search(answer: &Answer, gates: &[Gate]) -> Vec<Check> {
    let check = |subject: String, scenarios, meets, detail: String, is_gated| Check {
        subject,
        scenarios,
        goal: answer.goals.clone(),
        meets,
        detail,
        is_gated,
    };
    let mut checks: Vec<Check> = Vec::new();
    for found in &answer.found {
        let meets = match found.capacity {
            Capacity::Known { .. } | Capacity::AtLeast { .. } => Meets::Met,
            Capacity::NeverMet { .. } => Meets::Missed,
            Capacity::Unknown { .. } => Meets::Unknown,
        };
        let selected = gates.is_empty() || gates.iter().any(|gate| gate.replicas == Some(found.replicas));
        let is_gated = answer.needed.is_none() && selected;
        let subject = format!("capacity of {}", crate::events::many(found.replicas, "replica"));
        checks.push(check(subject, Vec::new(), meets, found.to_string(), is_gated));
    }
    if let Some(needed) = &answer.needed {
        let never = |check: &Check| check.meets == Meets::Missed;
        let meets = match (needed, &answer.confirmation) {
            (Needed::Replicas { .. }, Some(confirmation)) => confirmation.meets,
            (Needed::Replicas { .. }, None) if answer.search.confirm => Meets::Unknown,
            (Needed::Replicas { .. }, None) => Meets::Met,
            (Needed::Nothing, _) if !checks.is_empty() && checks.iter().all(never) => Meets::Missed,
            _ => Meets::Unknown,
        };
        let scenarios = answer.confirmation.iter().map(|one| one.scenario.clone()).collect();
        checks.push(check("replicas for the wanted load".into(), scenarios, meets, answer.to_string(), true));
    }
    checks
}

fn is_selected(gates: &[Gate], scenario: &Scenario) -> bool {
    let is_closed = scenario.rate.is_none();
    let fits = |gate: &Gate| {
        let same_rate = |rate: f64| scenario.rate.is_some_and(|own| (own - rate).abs() < 1e-9);
        gate.replicas.is_none_or(|replicas| replicas == scenario.replicas)
            && gate.workers.is_none_or(|workers| workers == scenario.workers)
            && gate.users.is_none_or(|users| is_closed && users == scenario.users)
            && gate.rate.is_none_or(same_rate)
    };
    gates.is_empty() || gates.iter().any(fits)
}

#[cfg(test)]
mod tests;
