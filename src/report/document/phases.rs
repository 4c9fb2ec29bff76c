//! How long each phase of each scenario took.

use super::{Block, Cell, Column, Section, Table};
use crate::judge::Row;

const INTRO: &str = "Getting ready and taking snapshots cost time that is not spent on load. Measuring takes longer \
    than the row's window if the figures were not steady at once. The stop is part of the cooldown.";

/// The columns with the phases that each one adds up.
const PHASES: [(&str, &[&str]); 5] = [
    ("Getting ready", &["scale", "ready"]),
    ("Ramp and warm-up", &["ramp", "warmup"]),
    ("Snapshots", &["open", "close"]),
    ("Measuring", &["window"]),
    ("Stop", &["drain"]),
];

/// Seconds per phase; `None` without a scenario.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut columns = vec![Column::words("Scenario")];
    columns.extend(PHASES.map(|(title, _)| Column::measured(title, "s")));
    let mut table = Table::new(columns);
    for row in rows {
        let mut cells = vec![Cell::text(row.name())];
        cells.extend(PHASES.map(|(_, phases)| Cell::number(row.record.seconds_in(phases), 2)));
        table.push([row], cells);
    }
    let section = Section::new("phases", "Where the time went", vec![Block::Table(table)]);
    (!rows.is_empty()).then(|| section.with_intro(INTRO))
}
