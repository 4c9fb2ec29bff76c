//! What the service is meant to reach, and which rows reach it.

use super::findings::load_in_words;
use super::sentence::form;
use super::{Block, Section, Sentence};
use crate::events::many;
use crate::judge::{JudgedRun, Point, Row};
use crate::measure::percentile_name;

/// For each load, the fewest replicas that keep to every goal; `None` without a goal.
pub(super) fn section(run: &JudgedRun<'_>, points: &[Point<'_, '_>]) -> Option<Section> {
    let goals = run.rows.first()?.record.objective.goals();
    if goals.is_empty() {
        return None;
    }
    let goals = goals.iter().map(|(quantile, most)| format!("{} ≤ {most} ms", percentile_name(*quantile)));
    let title = format!("Objective: {}", goals.collect::<Vec<_>>().join(", "));
    let list = Block::list(outcomes(points));
    let otherwise = "No scenario is valid: there is nothing to say about it.";
    Some(Section::of_lists("objective", title, vec![list], otherwise))
}

/// A sentence per outcome, with all loads that have it.
pub(super) fn outcomes(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let mut outcomes: Vec<(String, Vec<String>, Vec<&Row<'_>>)> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let is_known = points.iter().take(at).any(|earlier| earlier.has_load_of(point));
        let Some(load) = load_in_words(point).filter(|_| !is_known) else { continue };
        let (outcome, cited) = outcome(point, points);
        match outcomes.iter_mut().find(|(known, ..)| *known == outcome) {
            Some((_, loads, rows)) => {
                loads.push(load);
                rows.extend(cited);
            }
            None => outcomes.push((outcome, vec![load], cited)),
        }
    }
    let sentences = outcomes.into_iter();
    sentences
        .map(|(outcome, loads, rows)| Sentence::about(rows, format!("{}: {outcome}.", loads.join("; "))))
        .collect()
}

/// The fewest replicas that keep to every goal with the load of `point`, with the rows that show it.
fn outcome<'r, 'a>(point: &Point<'r, 'a>, points: &[Point<'r, 'a>]) -> (String, Vec<&'r Row<'a>>) {
    let same = points.iter().filter(|other| other.has_load_of(point));
    if let Some(enough) = same.clone().filter(|point| keeps(point)).min_by_key(|point| point.replicas()) {
        let replicas = enough.replicas();
        let verb = form(replicas, "keeps", "keep");
        let repeats = match enough.rows.len() {
            1 => String::new(),
            repeats => format!(" in each of {repeats} valid rows"),
        };
        return (format!("{} {verb} to it{repeats}", many(replicas, "replica")), enough.rows.clone());
    }
    let mut measured: Vec<u32> = same.clone().map(Point::replicas).collect();
    measured.sort_unstable();
    measured.dedup();
    let text = format!("no valid row keeps to it (measured with {})", replicas_in_words(&measured));
    (text, same.flat_map(|point| point.rows.clone()).collect())
}

/// `1 replica`, or `1, 2 and 4 replicas`.
fn replicas_in_words(measured: &[u32]) -> String {
    match measured {
        [] => "no replicas".to_owned(),
        [only] => many(*only, "replica"),
        [earlier @ .., last] => {
            let earlier: Vec<_> = earlier.iter().map(u32::to_string).collect();
            format!("{} and {last} replicas", earlier.join(", "))
        }
    }
}

/// Whether every row of a point keeps to every goal, by the early-stop value, which has 99 % confidence.
fn keeps(point: &Point<'_, '_>) -> bool {
    point.rows.iter().all(|row| {
        row.record.objective.goals().into_iter().all(|(quantile, most_ms)| {
            let early_stop = row.estimate(quantile).and_then(|estimate| estimate.early_stop_us);
            early_stop.is_some_and(|us| us <= u64::from(most_ms) * 1000)
        })
    })
}
