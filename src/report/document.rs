//! What a report says, independent of any format. It is made once from the judged records.
//!
//! The document decides which sections, tables and sentences there are. A renderer only writes them in its
//! format: `markdown` writes the sections, `csv` writes the datasets.

mod attempts;
mod auto_summary;
mod cell;
mod data_notes;
mod failures;
mod findings;
mod generator;
mod objective;
mod other_counts;
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
pub use cell::Cell;
pub use section::{Block, Section};
pub use sentence::Sentence;
pub use table::{Alignment, Column, Table, TableRow};

use crate::judge::{JudgedRun, Row, points};

/// A report.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The title of the whole report.
    pub title: String,
    /// The sections in reading order.
    pub sections: Vec<Section>,
    /// The tables for programs.
    pub datasets: Vec<Dataset>,
}

impl Document {
    /// The report of a run.
    pub fn of(run: &JudgedRun<'_>) -> Self {
        let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
        let (open, closed): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(Row::is_open);
        let points = points(&rows);
        let sections = [
            Some(run::section(run)),
            scenarios::closed(&closed),
            scenarios::open(&open),
            verdicts::section(&rows),
            attempts::section(run),
            failures::section(&rows),
            data_notes::section(&rows),
            Some(findings::key_findings(&points)),
            objective::section(run, &points),
            Some(findings::performance(&points)),
            Some(findings::latency(&points)),
            repeats::section(&points),
            repeats::drift_section(&rows),
            percentiles::section(&rows),
            other_counts::closed(&closed),
            other_counts::open(&open),
            generator::section(&rows, &run.worker_pairs),
            whole_runs::section(&rows),
            phases::section(&rows),
        ];
        Self {
            title: "Load test summary".into(),
            sections: sections.into_iter().flatten().collect(),
            datasets: auto_summary::datasets(&rows),
        }
    }
}

#[cfg(test)]
mod tests;
