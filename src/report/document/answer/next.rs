//! What to do next, in one sentence.

use crate::judge::{Answer, JudgedRun, Point, Row, checks};
use crate::plan::{Capacity, Meets};
use crate::report::document::Sentence;
use crate::report::document::objective::has_goals;
use crate::report::document::sentence::with_full_stop;

/// The most useful next step: rows that are not valid first, then goals that are unknown or missed.
pub(super) fn step(run: &JudgedRun<'_>, rows: &[Row<'_>], points: &[Point<'_, '_>]) -> Sentence {
    let invalid = rows.iter().filter(|row| !row.is_valid());
    if let Some(worst) = invalid.map(|row| row.judgement.verdict).min() {
        let same: Vec<_> = rows.iter().filter(|row| row.judgement.verdict == worst).collect();
        let step = same.iter().find_map(|row| row.judgement.next_step()).unwrap_or("see Verdicts");
        let text = with_full_stop(&format!("For the rows that are {}: {step}", worst.status()));
        return Sentence::about(same, text);
    }
    if let Some(answer) = Answer::of(run) {
        return of_search(&answer);
    }
    if !has_goals(run) {
        return Sentence::general(
            "Give an objective to learn how many users the replicas carry, such as --objective 'p95<500ms', or search \
             for it with --capacity.",
        );
    }
    let checks = checks(run);
    if !checks.iter().any(|check| check.is_gated) {
        return Sentence::general("Correct --gate: it selects no row, so that nothing is decided.");
    }
    let of = |meets| checks.iter().find(|check| check.is_gated && check.meets == meets);
    if let Some(check) = of(Meets::Unknown) {
        let text = format!("{}: {}: {}", check.subject, check.goal, check.detail);
        return Sentence { text: with_full_stop(&text), rows: check.scenarios.clone() };
    }
    if let Some(check) = of(Meets::Missed) {
        let text = format!(
            "Use the fewest replicas that meet the objective (see Answer); {} does not: {}",
            check.subject, check.detail
        );
        return Sentence { text: with_full_stop(&text), rows: check.scenarios.clone() };
    }
    let rows = points.iter().flat_map(|point| point.rows.iter().copied());
    Sentence::about(
        rows,
        "Nothing: every gated point meets the objective. Measure more users to find the capacity.",
    )
}

fn of_search(answer: &Answer) -> Sentence {
    let is_clear = |capacity: &Capacity| matches!(capacity, Capacity::Known { .. });
    let unclear = answer.found.iter().find(|found| !is_clear(&found.capacity));
    let text = match unclear {
        Some(found) => format!("Look at the probes of this search: {found}"),
        None if answer.search.wanted.is_none() => {
            "Ask for the replicas of a load with --for-users N, or plan with the capacities below".to_owned()
        }
        None if !answer.search.confirm => "Measure the answer with --confirm".to_owned(),
        None => "Nothing: plan with the answer, and measure again when the service changes".to_owned(),
    };
    Sentence::general(with_full_stop(&text))
}
