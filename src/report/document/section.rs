//! Sections and their blocks.

use super::chart::{Chart, HeatMap};
use super::sentence::Sentence;
use super::table::Table;

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
    /// Sentences, each with a word that says what it is about.
    Facts(Vec<(String, Sentence)>),
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
    /// A chart, with its table.
    Chart(Box<Chart>),
    /// A map of the verdicts, for formats that have no table of scenarios beside it.
    HeatMap(HeatMap),
}

impl Section {
    /// A section without an introduction.
    pub(super) fn new(id: &'static str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id, title: title.into(), intro: None, blocks }
    }

    /// The same section with an introduction.
    pub(super) fn with_intro(self, intro: &str) -> Self {
        Self { intro: Some(intro.to_owned()), ..self }
    }

    /// A section of lists; if all are empty, the sentence `otherwise`.
    pub(super) fn of_lists(
        id: &'static str,
        title: impl Into<String>,
        lists: Vec<Block>,
        otherwise: &str,
    ) -> Self {
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
    pub(super) const fn list(items: Vec<Sentence>) -> Self {
        Self::Sentences { lead: None, items }
    }

    /// A list whose lead cites every row that an item cites.
    pub(super) fn led(lead: impl Into<String>, items: Vec<Sentence>) -> Self {
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
            Self::Facts(facts) => facts.iter().map(|(_, sentence)| sentence).collect(),
            Self::KeyValues(_) | Self::Table(_) | Self::Chart(_) | Self::HeatMap(_) => Vec::new(),
        }
    }
}
