//! Tables.

use super::Cell;
use crate::judge::Row;

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; each has a cell per column.
    pub rows: Vec<TableRow>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The title, without the unit.
    pub title: String,
    /// The unit of the values.
    pub unit: Option<&'static str>,
    /// Where the values stand.
    pub alignment: Alignment,
}

/// Where the values of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// The ids of the scenarios that the row is about.
    pub scenarios: Vec<String>,
    /// The values, one per column.
    pub cells: Vec<Cell>,
}

impl Table {
    /// A table without rows.
    pub const fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row about these scenarios.
    pub fn push<'r>(&mut self, about: impl IntoIterator<Item = &'r Row<'r>>, cells: Vec<Cell>) {
        let scenarios = about.into_iter().map(|row| row.record.scenario.id.clone()).collect();
        self.rows.push(TableRow { scenarios, cells });
    }
}

impl Column {
    /// A column of words.
    pub fn words(title: impl Into<String>) -> Self {
        Self { title: title.into(), unit: None, alignment: Alignment::Left }
    }

    /// A column of numbers that have no unit.
    pub fn numbers(title: impl Into<String>) -> Self {
        Self { title: title.into(), unit: None, alignment: Alignment::Right }
    }

    /// A column of numbers in this unit.
    pub fn measured(title: impl Into<String>, unit: &'static str) -> Self {
        Self { title: title.into(), unit: Some(unit), alignment: Alignment::Right }
    }
}
