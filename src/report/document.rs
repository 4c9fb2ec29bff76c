//! What a report says, independent of any format. It is made once from the judged records.
//!
//! The document decides which sections, tables and sentences there are. A renderer only writes them in its
//! format: `markdown` writes the sections, `csv` writes the datasets.

mod answer;
mod attempts;
mod auto_summary;
mod card;
mod cell;
pub mod chart;
mod charts;
mod data_notes;
mod failures;
mod findings;
mod generator;
mod objective;
mod percentiles;
mod phases;
mod point;
mod repeats;
mod run;
mod scenarios;
mod section;
mod sentence;
mod table;
mod verdicts;
mod whole_runs;

pub use auto_summary::Dataset;
pub use card::{Card, cards};
pub use cell::Cell;
pub use section::{Block, Section};
pub use sentence::Sentence;
pub use table::{Alignment, Column, Table, TableRow};

use crate::judge::{JudgedRun, Row, all_points};

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The title of the whole report.
    pub title: String,
    /// The sections in reading order.
    pub sections: Vec<Section>,
    /// The id of each scenario and its name, in the order of the plan.
    pub scenarios: Vec<(String, String)>,
    /// The tables for programs.
    pub datasets: Vec<Dataset>,
}

impl Document {
    /// The report of a run.
    pub fn of(run: &JudgedRun<'_>) -> Self {
        let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
        let (open, closed): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(Row::is_open);
        let all = all_points(&rows);
        let points: Vec<_> = all.iter().filter(|point| point.has_valid_row()).cloned().collect();
        let is_search = run.question().is_some_and(|question| question.search.is_some());
        let sections = [
            answer::section(run, &rows, &all),
            verdicts::section(&rows),
            attempts::section(run),
            failures::section(&rows),
            data_notes::section(&rows),
            charts::capacity(run, &all),
            charts::curves(&points),
            scenarios::closed(&closed),
            scenarios::open(&open),
            Some(findings::key_findings(&points)),
            // A search has an answer of its own, and probes are no matrix.
            objective::section(run, &all).filter(|_| !is_search),
            (!is_search).then(|| findings::performance(&points)),
            (!is_search).then(|| findings::latency(&points)),
            repeats::section(&points),
            repeats::drift_section(&rows),
            percentiles::section(&rows),
            generator::section(&rows, &run.worker_pairs),
            whole_runs::section(&rows),
            phases::section(&rows),
            Some(run::section(run)),
        ];
        Self {
            title: "Load test summary".into(),
            sections: sections.into_iter().flatten().collect(),
            scenarios: rows.iter().map(|row| (row.record.scenario.id.clone(), row.name())).collect(),
            datasets: auto_summary::datasets(&rows),
        }
    }
}

/// What the report says first: the question, the answer, whether the run passes, the worst row, and what to do; each with its
/// name.
pub fn first_facts(run: &JudgedRun<'_>) -> Vec<(String, Sentence)> {
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    let blocks =
        answer::section(run, &rows, &all_points(&rows)).map_or_else(Vec::new, |section| section.blocks);
    let facts = blocks
        .into_iter()
        .filter_map(|block| if let Block::Facts(facts) = block { Some(facts) } else { None });
    facts.flatten().collect()
}

#[cfg(test)]
mod tests;
