//! The primary endpoint's percentiles, counted in other ways.

use records::{Endpoint, Histogram};

use super::{Block, Cell, Column, Section, Table};
use crate::judge::Row;
use crate::measure::{Estimate, percentile_name};

const CLOSED: &str = "The figures are of the primary endpoint. All requests are beside the successful ones alone, \
    so that fast errors cannot improve a percentile. The last columns are corrected for coordinated omission: \
    they show a stall as users would see it who do not wait, but ask once per typical cycle (median response time \
    plus think time).";

const OPEN: &str = "The figures are of the primary endpoint. Latency counts from the time at which each request was \
    due, for all requests and for the successful ones alone. The last columns count from the time at which the \
    request was really sent, which leaves out its wait for a free user.";

/// All, successful and corrected; `None` without a window.
pub(super) fn closed(rows: &[Row<'_>]) -> Option<Section> {
    let mut columns = common_columns();
    columns.push(Column::measured("Cycle", "ms"));
    columns.extend(three_columns("corrected"));
    let mut table = Table::new(columns);
    for row in rows {
        let Some(counts) = row.counts else { continue };
        let (corrected, cycle_us) = row.corrected().unzip();
        let mut cells = common_cells(row, counts);
        cells.push(Cell::response_time(cycle_us));
        cells.extend(three_cells(corrected.as_ref()));
        table.push([row], cells);
    }
    section("other-counts-closed", "Other ways to count: closed model", CLOSED, table)
}

/// All, successful and from the time of sending; `None` without a window.
pub(super) fn open(rows: &[Row<'_>]) -> Option<Section> {
    let mut columns = common_columns();
    columns.extend(three_columns("from send"));
    let mut table = Table::new(columns);
    for row in rows {
        let Some(counts) = row.counts else { continue };
        let mut cells = common_cells(row, counts);
        cells.extend(three_cells(counts.from_send.as_ref()));
        table.push([row], cells);
    }
    section("other-counts-open", "Other ways to count: open model", OPEN, table)
}

fn section(id: &'static str, title: &str, intro: &str, table: Table) -> Option<Section> {
    let is_empty = table.rows.is_empty();
    (!is_empty).then(|| Section::new(id, title, vec![Block::Table(table)]).with_intro(intro))
}

fn common_columns() -> Vec<Column> {
    let mut columns = vec![Column::words("Scenario")];
    columns.extend(three_columns("all"));
    columns.push(Column::numbers("n successful"));
    columns.extend(three_columns("successful"));
    columns
}

fn common_cells(row: &Row<'_>, counts: &Endpoint) -> Vec<Cell> {
    let mut cells = vec![Cell::text(row.name())];
    cells.extend(three_cells(Some(&counts.histogram)));
    cells.push(Cell::Count(counts.succeeded.count()));
    cells.extend(three_cells(Some(&counts.succeeded)));
    cells
}

const QUANTILES: [f64; 3] = [0.50, 0.95, 0.99];

fn three_columns(of: &str) -> [Column; 3] {
    QUANTILES.map(|quantile| Column::measured(format!("{} {of}", percentile_name(quantile)), "ms"))
}

fn three_cells(histogram: Option<&Histogram>) -> [Cell; 3] {
    QUANTILES.map(|quantile| {
        Cell::percentile(histogram.map(|histogram| Estimate::of(histogram, quantile)).as_ref())
    })
}
