//! A card per scenario: its verdict, its percentiles, its course in time, and its replicas.

mod replicas;
mod spectrum;
mod timeline;

use super::{Block, Cell, Sentence};
use crate::judge::{Row, Verdict};

/// Timelines are large, so that no more than this many are in a report. Rows that are not valid come first.
const MOST_TIMELINES: usize = 60;

/// All that is known of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The id of the scenario.
    pub scenario: String,
    /// The scenario in words.
    pub name: String,
    /// What its figures are worth.
    pub verdict: Verdict,
    /// Its main figures, in words.
    pub figures: String,
    /// Why it is not valid, and what to do about it; empty if it is valid.
    pub reasons: Vec<String>,
    /// The rest, in reading order.
    pub blocks: Vec<Block>,
}

/// A card for each row. They are made one at a time, because all of them together take more memory than the rest of a large
/// report.
pub fn cards<'r>(rows: &'r [Row<'_>]) -> impl Iterator<Item = Card> + 'r {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|at| rows[*at].is_valid());
    let mut has_timeline = vec![false; rows.len()];
    for at in order.into_iter().take(MOST_TIMELINES) {
        has_timeline[at] = true;
    }
    rows.iter().zip(has_timeline).enumerate().map(|(at, (row, timeline))| card(at, row, timeline))
}

fn card(at: usize, row: &Row<'_>, has_timeline: bool) -> Card {
    let mut blocks = Vec::new();
    blocks.extend(spectrum::chart(at, row).map(|chart| Block::Chart(Box::new(chart))));
    if has_timeline {
        blocks.extend(timeline::chart(at, row).map(|chart| Block::Chart(Box::new(chart))));
    } else if !row.record.samples.is_empty() {
        let text = format!(
            "This run has more than {MOST_TIMELINES} scenarios, so that only some cards have a timeline. results.jsonl \
             has the samples of all."
        );
        blocks.push(Block::Paragraph(Sentence::general(text)));
    }
    blocks.extend(replicas::table(row).map(Block::Table));
    Card {
        scenario: row.record.scenario.id.clone(),
        name: row.name(),
        verdict: row.judgement.verdict,
        figures: figures(row),
        reasons: row.judgement.reasons.clone(),
        blocks,
    }
}

fn figures(row: &Row<'_>) -> String {
    let Some(primary) = row.primary else { return "no figures".to_owned() };
    let percentile = |q: f64, name: &str| match Cell::percentile_of(row, q) {
        figure @ (Cell::ResponseTime(_) | Cell::Infinite) => Some(format!("{name} {figure} ms")),
        _ => None,
    };
    let failed = primary.failures_pct.map(|share| format!("{share:.2} % failed"));
    let figures = [
        Some(format!("{:.1} successful requests/s", primary.goodput)),
        percentile(0.5, "median"),
        percentile(0.95, "P95"),
        percentile(0.99, "P99"),
        failed,
    ];
    figures.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
