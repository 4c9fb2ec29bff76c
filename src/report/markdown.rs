//! Markdown, for people.

mod escape;

use std::fmt::{self, Write};

pub(super) use escape::escape;
use escape::escape_line;

use super::document::chart::Chart;
use super::document::{Alignment, Block, Cell, Column, Document, Section, Table};

/// The bytes of the file.
pub(super) fn render(document: &Document) -> Vec<u8> {
    let mut text = String::new();
    // A String takes everything that is written to it.
    let _ = write_document(&mut text, document);
    text.into_bytes()
}

/// The charts that the text shows, with the names of their files, which stand beside it.
pub(super) fn charts(document: &Document) -> Vec<(String, &Chart)> {
    let blocks = document.sections.iter().flat_map(|section| &section.blocks);
    let charts = blocks.filter_map(|block| match block {
        Block::Chart(chart) => Some((file_name(chart), &**chart)),
        _ => None,
    });
    charts.collect()
}

fn file_name(chart: &Chart) -> String {
    format!("auto_summary_{}.svg", chart.id)
}

fn write_document(text: &mut String, document: &Document) -> fmt::Result {
    writeln!(text, "# {}", escape(&document.title))?;
    document.sections.iter().try_for_each(|section| write_section(text, section))
}

/// A section; each of its parts follows an empty line.
fn write_section(text: &mut String, section: &Section) -> fmt::Result {
    writeln!(text, "\n## {}", escape(&section.title))?;
    if let Some(intro) = &section.intro {
        writeln!(text, "\n{}", escape_line(intro))?;
    }
    section.blocks.iter().try_for_each(|block| write_block(text, block))
}

fn write_block(text: &mut String, block: &Block) -> fmt::Result {
    match block {
        Block::KeyValues(facts) => {
            writeln!(text, "\n| | |\n|---|---|")?;
            facts
                .iter()
                .try_for_each(|(name, value)| writeln!(text, "| {} | {} |", escape(name), escape(value)))
        }
        Block::Paragraph(sentence) => writeln!(text, "\n{}", escape_line(&sentence.text)),
        Block::Sentences { lead, items } => {
            if let Some(lead) = lead {
                writeln!(text, "\n{}", escape_line(&lead.text))?;
            }
            writeln!(text)?;
            items.iter().try_for_each(|item| writeln!(text, "- {}", escape_line(&item.text)))
        }
        Block::Facts(facts) => {
            writeln!(text)?;
            facts
                .iter()
                .try_for_each(|(name, said)| writeln!(text, "- **{}:** {}", escape(name), escape(&said.text)))
        }
        Block::Table(table) => write_table(text, table),
        Block::Chart(chart) => {
            let Chart { title, caption, description, .. } = &**chart;
            writeln!(text, "\n![{}: {}]({})", escape(title), escape(description), file_name(chart))?;
            writeln!(text, "\n{}", escape_line(caption))
        }
        // The table of the scenarios has all of it.
        Block::HeatMap(_) => Ok(()),
    }
}

fn write_table(text: &mut String, table: &Table) -> fmt::Result {
    writeln!(text, "\n{}", line(table.columns.iter().map(title)))?;
    let alignments = table.columns.iter().map(|column| match column.alignment {
        Alignment::Left => "---",
        Alignment::Right => "---:",
    });
    writeln!(text, "|{}|", alignments.collect::<Vec<_>>().join("|"))?;
    table.rows.iter().try_for_each(|row| writeln!(text, "{}", line(row.cells.iter().map(value))))
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn title(column: &Column) -> String {
    match column.unit {
        Some(unit) => escape(&format!("{} {unit}", column.title)),
        None => escape(&column.title),
    }
}

fn value(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => escape(text),
        // Numbers have no character that Markdown interprets.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
