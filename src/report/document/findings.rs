//! What the valid rows show: the best rows, what more replicas bring, and where requests queue.

mod latency;
mod performance;

pub(super) use latency::latency;
pub(super) use performance::performance;

use records::ms;

use super::{Block, Section, Sentence};
use crate::events::many;
use crate::judge::{Point, Row};

/// Best throughput, best latency and averages; each model apart.
pub(super) fn key_findings(points: &[Point<'_, '_>]) -> Section {
    let (open, closed): (Vec<_>, Vec<_>) = points.iter().partition(|point| point.is_open());
    let mut items = best(&closed, "");
    items.extend(averages(&closed));
    items.extend(best(&open, " in the open model"));
    let otherwise = "No scenario is valid: there is nothing to cite.";
    Section::of_lists("key-findings", "Key findings", vec![Block::list(items)], otherwise)
}

/// The best valid rows of each model.
pub(super) fn best_of_all(points: &[Point<'_, '_>]) -> Vec<Sentence> {
    let valid = points.iter().filter(|point| point.has_valid_row());
    let (open, closed): (Vec<_>, Vec<_>) = valid.partition(|point| point.is_open());
    let mut items = best(&closed, "");
    items.extend(best(&open, " in the open model"));
    items
}

fn best(points: &[&Point<'_, '_>], model: &str) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    if let Some(point) = points.iter().max_by(|a, b| a.rps.total_cmp(&b.rps)) {
        let text =
            format!("Best throughput{model}: {:.1} successful requests/s with {}.", point.rps, point.name());
        sentences.push(Sentence::about(point.rows.iter().copied(), text));
    }
    let with_p95 = points.iter().filter_map(|point| Some((point, point.p95_us?)));
    if let Some((point, p95)) = with_p95.min_by_key(|(_, p95)| *p95) {
        let text = format!("Best latency{model}: P95 {} ms with {}.", ms(p95), point.name());
        sentences.push(Sentence::about(point.rows.iter().copied(), text));
    }
    sentences
}

fn averages(closed: &[&Point<'_, '_>]) -> Option<Sentence> {
    let rows: Vec<&Row<'_>> = closed.iter().flat_map(|point| point.rows.iter().copied()).collect();
    if rows.is_empty() {
        return None;
    }
    let rps = closed.iter().map(|point| point.rps).sum::<f64>() / closed.len() as f64;
    let (failures, requests) =
        rows.iter().filter_map(|row| row.counts).fold((0, 0), |(failures, requests), counts| {
            (failures + counts.failures, requests + counts.requests)
        });
    let failed = if requests > 0 { 100.0 * failures as f64 / requests as f64 } else { 0.0 };
    let scenarios = match rows.len() {
        1 => "the only valid scenario".to_owned(),
        count if count == closed.len() => format!("all {count} valid scenarios"),
        count => format!("{} points ({count} valid rows)", closed.len()),
    };
    let text = format!(
        "Averages over {scenarios} of the closed model: {rps:.1} successful requests/s, {failed:.2} % of all requests failed. \
         (Percentiles are not averaged, because a mean of percentiles is not a percentile.)"
    );
    Some(Sentence::about(rows, text))
}

/// `20 users on 2 workers`, or `50 requests/s (open) on 2 workers`.
pub(super) fn load_in_words(point: &Point<'_, '_>) -> Option<String> {
    let load = point.first()?.load();
    Some(format!("{load} on {}", many(point.scenario()?.workers, "worker")))
}

#[cfg(test)]
mod tests;
