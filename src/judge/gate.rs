//! Which goals are met, for programs and for the exit code.

use records::{Gate, Scenario};

use super::answer::Answer;
use super::cause::Cause;
use super::certainty::Certainty;
use super::check::Check;
use super::goal::{Goal, Limited};
use super::goals::{GoalOutcome, figure_of, misses, outcome_of_goal};
use super::judged::Judged;
use super::points::{Point, all_points};
use super::row::Row;
use super::run::JudgedRun;
use super::verdict::Judgement;
use crate::exit::ExitCode;
use crate::plan::{Capacity, Limit, Meets, Needed};

/// Every goal of every point in the order of the plan; of a search, its answers.
pub fn checks<'r>(run: &'r JudgedRun<'_>) -> &'r [Check] {
    run.checks.get_or_init(|| all_checks(run))
}

fn all_checks(run: &JudgedRun<'_>) -> Vec<Check> {
    let Some(question) = run.question() else { return Vec::new() };
    let gates = &question.gates;
    match Answer::of(run) {
        Some(answer) => of_search(run, &answer, gates),
        None => of_points(run, gates),
    }
}

/// The exit code of a run, with a sentence for each check that does not let it succeed. A row without figures
/// outweighs a missed objective.
pub fn exit_code(run: &JudgedRun<'_>) -> (ExitCode, Vec<String>) {
    let unknown_passes = run.unknown_passes();
    let is_search = run.question().is_some_and(|question| question.search.is_some());
    let failed = run.rows.iter().find(|row| is_search && row.has_failed());
    let mut reasons: Vec<String> =
        failed.map(failed_probe).into_iter().chain(of_the_whole_run(run)).collect();
    for check in checks(run).iter().filter(|check| check.is_gated) {
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
    let code = if run.has_failure() || not_measured(run) > 0 {
        ExitCode::Scenario
    } else if reasons.is_empty() {
        ExitCode::Success
    } else {
        ExitCode::Threshold
    };
    (code, reasons)
}

/// How many scenarios of a fixed list have no record.
fn not_measured(run: &JudgedRun<'_>) -> usize {
    let planned = run.question().and_then(|question| question.planned);
    planned.map_or(0, |planned| planned.saturating_sub(run.rows.len()))
}

/// Reasons not to succeed that belong to no check and no row.
pub fn of_the_whole_run(run: &JudgedRun<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some(question) = run.question() else { return reasons };
    let missing = not_measured(run);
    if missing > 0 {
        let all = missing + run.rows.len();
        reasons.push(format!(
            "{missing} of {all} scenarios have no record: wait for the run, or go on with --resume"
        ));
    }
    let has_objective = run.rows.first().is_some_and(|row| !row.record.objective.is_empty());
    let is_undecided = !question.gates.is_empty() && has_objective && !question.unknown_passes;
    if is_undecided && !checks(run).iter().any(|check| check.is_gated) {
        reasons.push("objective unknown: no row is selected by --gate".to_owned());
    }
    reasons
}

/// A probe that ends a search with exit code 5, and what to do about it.
fn failed_probe(judged: &Judged<'_>) -> String {
    let Judgement { verdict, reasons, .. } = &judged.judgement;
    let next = judged.judgement.next_step().unwrap_or("read the reasons of its row");
    // If every request has failed, the search has learned that this load is too much.
    let then = if judged.judgement.causes.first() == Some(&Cause::EveryRequestFailed) {
        "the search has counted it as too much load"
    } else {
        "then search again"
    };
    let name = Row::of(judged).name();
    format!("probe {}: {name}: {}: {next}; {then}", verdict.status(), reasons.join("; "))
}

fn of_points(run: &JudgedRun<'_>, gates: &[Gate]) -> Vec<Check> {
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    let ids: Vec<String> = rows.iter().map(|row| row.record.scenario.point_id()).collect();
    let mut checks = Vec::new();
    for point in all_points(&rows) {
        let Some(first) = point.first() else { continue };
        let scenario = &first.record.scenario;
        let id = scenario.point_id();
        let same = rows.iter().zip(&ids).filter(|(_, other)| **other == id);
        let scenarios: Vec<String> = same.map(|(row, _)| row.record.scenario.id.clone()).collect();
        for goal in Goal::all(&first.record.objective) {
            let (meets, detail) = of_point(&point, &goal);
            checks.push(Check {
                subject: first.point(),
                scenarios: scenarios.clone(),
                goal: goal.to_string(),
                meets,
                detail,
                is_gated: is_selected(gates, scenario),
            });
        }
    }
    checks
}

fn of_point(point: &Point<'_, '_>, goal: &Goal) -> (Meets, String) {
    let mut said = Vec::new();
    if point.has_valid_row() {
        said.push(figure(point, goal));
    }
    let outcome = outcome_of_goal(point, goal);
    match &outcome {
        GoalOutcome::Met => {}
        GoalOutcome::Missed => {
            let missing = point.others.iter().rfind(|row| misses(row, goal));
            said.extend(missing.map(|row| row.judgement.in_words()));
        }
        GoalOutcome::Unknown { settle } => said.push(settle.clone()),
    }
    (outcome.meets(), said.join("; "))
}

/// The figure that a goal is about, with its interval.
fn figure(point: &Point<'_, '_>, goal: &Goal) -> String {
    let Certainty { value, bounds, .. } = figure_of(point, goal);
    let (digits, unit) = match goal.limited {
        Limited::Percentile(_) => (1, "ms"),
        Limited::Throughput => (1, "requests/s"),
        Limited::Failures => (2, "%"),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time, which is not negative"
    )]
    let number = |value: f64| match goal.limited {
        Limited::Percentile(_) => records::ms(value.round() as u64),
        _ => format!("{value:.digits$}"),
    };
    let said = match value {
        Some(value) if value.is_infinite() => "infinite, because requests failed".to_owned(),
        Some(value) => format!("{} {unit}", number(value)),
        None => "not measured".to_owned(),
    };
    let bounds = bounds.ok().map(|b| format!(" [{}, {}]", number(b.low), number(b.high)));
    said + &bounds.unwrap_or_default()
}

fn of_search(run: &JudgedRun<'_>, answer: &Answer, gates: &[Gate]) -> Vec<Check> {
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
            Capacity::AtLeast { limit: Limit::Unfinished, .. } | Capacity::Unknown { .. } => Meets::Unknown,
            Capacity::Known { .. } | Capacity::AtLeast { .. } => Meets::Met,
            Capacity::NeverMet { .. } => Meets::Missed,
        };
        let selected = gates.is_empty() || gates.iter().any(|gate| gate.replicas == Some(found.replicas));
        let is_gated = answer.needed.is_none() && selected;
        let subject = format!("capacity of {}", crate::events::many(found.replicas, "replica"));
        let scenarios = run.rows.iter().map(|row| &row.record.scenario);
        let probes = scenarios.filter(|scenario| answer.has_probe(found.replicas, scenario));
        let probes: Vec<String> = probes.map(|scenario| scenario.id.clone()).collect();
        checks.push(check(subject, probes, meets, found.to_string(), is_gated));
    }
    if let Some(needed) = &answer.needed {
        let never = |check: &Check| check.meets == Meets::Missed;
        let meets = match (needed, &answer.confirmation) {
            (Needed::Replicas { .. }, Some(confirmation)) => confirmation.meets,
            (Needed::Replicas { .. }, None) if answer.search.confirm => Meets::Unknown,
            (Needed::Replicas { .. }, None) => Meets::Met,
            (Needed::TooLittle { .. }, _) => Meets::Missed,
            (Needed::Nothing, _) if !checks.is_empty() && checks.iter().all(never) => Meets::Missed,
            _ => Meets::Unknown,
        };
        let scenarios = answer.confirmation.as_ref().map(|one| one.scenarios.clone()).unwrap_or_default();
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
