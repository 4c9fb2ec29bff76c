//! CSV: a dataset, whose header is the names of its fields.

use super::document::{Cell, Table};

/// The bytes of the file. A missing value is empty.
pub(super) fn render(table: &Table) -> Vec<u8> {
    let header = line(table.columns.iter().map(|column| field(&column.title)));
    let rows = table.rows.iter().map(|row| line(row.cells.iter().map(value)));
    std::iter::once(header).chain(rows).collect::<String>().into_bytes()
}

fn line(fields: impl Iterator<Item = String>) -> String {
    format!("{}\n", fields.collect::<Vec<_>>().join(","))
}

fn value(cell: &Cell) -> String {
    match cell {
        Cell::Missing | Cell::TooFewSamples { .. } => String::new(),
        Cell::Interval { value_us, .. } => Cell::ResponseTime(*value_us).to_string(),
        Cell::Text(text) => field(&harmless(text)),
        other => field(&other.to_string()),
    }
}

/// The text with an apostrophe before it if a spreadsheet would take it for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// The text, in quotes if it has a character that separates fields or lines.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
