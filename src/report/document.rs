//! What a report says, independent of any format. It is made once from the judged records.
//!
//! The document decides which sections, tables and sentences there are. A renderer only writes them in its
//! format: `markdown` writes the sections, `csv` writes the datasets.

mod cell;
mod datasets;
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
mod sentence;
mod table;
mod verdicts;
mod whole_runs;

pub use cell::Cell;
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

/// A part of the report with a title of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Names the section within the document, such as `key-findings`. It never changes.
    pub id: &'static str,
    /// The title.
    pub title: String,
    /// Explains how to read the section.
    pub intro: Option<String>,
    /// The content in reading order.
    pub blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Facts, each with its name.
    KeyValues(Vec<(String, String)>),
    /// A sentence that stands alone.
    Paragraph(Sentence),
    /// Sentences that belong together, as a list.
    Sentences {
        /// What holds for each sentence of the list.
        lead: Option<Sentence>,
        /// The list.
        items: Vec<Sentence>,
    },
    /// A table.
    Table(Table),
}

/// A table for programs. The title of each column is the name of a field, which never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The name of the dataset, which is the name of its file without the extension.
    pub name: &'static str,
    /// The rows.
    pub table: Table,
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
            datasets: datasets::datasets(&rows),
        }
    }
}

impl Section {
    /// A section without an introduction.
    fn new(id: &'static str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id, title: title.into(), intro: None, blocks }
    }

    /// The same section with an introduction.
    fn with_intro(self, intro: &str) -> Self {
        Self { intro: Some(intro.to_owned()), ..self }
    }

    /// A section of lists; if all are empty, the sentence `otherwise`.
    fn of_lists(id: &'static str, title: impl Into<String>, lists: Vec<Block>, otherwise: &str) -> Self {
        let filled = |block: &Block| !matches!(block, Block::Sentences { items, .. } if items.is_empty());
        let mut blocks: Vec<Block> = lists.into_iter().filter(filled).collect();
        if blocks.is_empty() {
            blocks.push(Block::Paragraph(Sentence::general(otherwise)));
        }
        Self::new(id, title, blocks)
    }
}

impl Block {
    /// A list that needs no lead.
    const fn list(items: Vec<Sentence>) -> Self {
        Self::Sentences { lead: None, items }
    }

    /// A list whose lead cites every row that an item cites.
    fn led(lead: impl Into<String>, items: Vec<Sentence>) -> Self {
        let mut rows: Vec<String> = Vec::new();
        for row in items.iter().flat_map(|item| &item.rows) {
            if !rows.contains(row) {
                rows.push(row.clone());
            }
        }
        Self::Sentences { lead: Some(Sentence { text: lead.into(), rows }), items }
    }

    /// Every sentence of the block.
    pub fn sentences(&self) -> Vec<&Sentence> {
        match self {
            Self::Paragraph(sentence) => vec![sentence],
            Self::Sentences { lead, items } => lead.iter().chain(items).collect(),
            Self::KeyValues(_) | Self::Table(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
