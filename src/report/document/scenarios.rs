//! The figures of every scenario, in one table per model.

use super::{Block, Cell, Column, Section, Table, charts};
use crate::judge::Row;

const CLOSED: &str = "Each user waits for its response before it sends the next request. Each row covers its \
    window. The window opens when all users have started and the figures are steady, and it closes before the \
    load stops. The columns from Primary to P99 are of the primary endpoint; the columns after them \
    are of all endpoints together. auto_summary.csv has the figures of all endpoints together.";

const OPEN: &str = "Requests arrive at a fixed rate, whether earlier requests have been answered or not. Latency \
    counts from the time at which a request was due. A request is late if it started more than 10 ms after it \
    was due. It is skipped if it never started because no user of the pool was free.";

/// The scenarios of the closed model; `None` if there are none.
pub(super) fn closed(rows: &[Row<'_>]) -> Option<Section> {
    let has_repeats = has_repeats(rows);
    let mut table = Table::new(columns(has_repeats, Column::numbers("Users")));
    for row in rows {
        table.push([row], cells(has_repeats, row, Cell::Count(row.record.scenario.users.into())));
    }
    let blocks = vec![Block::HeatMap(charts::matrix("matrix", rows)), Block::Table(table)];
    let section = Section::new("closed-model", "Scenarios: closed model", blocks);
    (!rows.is_empty()).then(|| section.with_intro(CLOSED))
}

/// The scenarios of the open model; `None` if there are none.
pub(super) fn open(rows: &[Row<'_>]) -> Option<Section> {
    let has_repeats = has_repeats(rows);
    let mut columns = columns(has_repeats, Column::measured("Rate", "requests/s"));
    columns.extend(["Users at most", "Due", "Late", "Skipped"].map(Column::numbers));
    columns.push(Column::measured("Latest start since the load began", "ms"));
    let mut table = Table::new(columns);
    for row in rows {
        let scenario = &row.record.scenario;
        let counts = row.record.open;
        let mut cells = cells(has_repeats, row, scenario.rate.map_or(Cell::Missing, Cell::Given));
        cells.extend([
            Cell::Count(scenario.users.into()),
            Cell::count(counts.map(|counts| counts.due)),
            Cell::count(counts.map(|counts| counts.late)),
            Cell::count(counts.map(|counts| counts.skipped)),
            Cell::number(counts.map(|counts| counts.late_max_ms), 0),
        ]);
        table.push([row], cells);
    }
    let blocks = vec![Block::HeatMap(charts::matrix("matrix-open", rows)), Block::Table(table)];
    let section = Section::new("open-model", "Scenarios: open model", blocks);
    (!rows.is_empty()).then(|| section.with_intro(OPEN))
}

/// Whether some rows differ only in their repeat.
fn has_repeats(rows: &[Row<'_>]) -> bool {
    rows.iter().any(|row| row.record.scenario.repeat > 1 || row.record.scenario.drift)
}

fn columns(has_repeats: bool, load: Column) -> Vec<Column> {
    let mut columns = vec![
        Column::numbers("Replicas"),
        Column::numbers("Workers"),
        load,
        Column::words("Status"),
        Column::measured("Primary, successful", "requests/s"),
        Column::measured("Median", "ms"),
        Column::measured("P95", "ms"),
        Column::measured("P99", "ms"),
        Column::measured("All", "requests/s"),
        Column::measured("Failed", "%"),
        Column::numbers("Requests"),
        Column::measured("Window", "s"),
    ];
    if has_repeats {
        columns.insert(3, Column::words("Repeat"));
    }
    columns
}

fn cells(has_repeats: bool, row: &Row<'_>, load: Cell) -> Vec<Cell> {
    let scenario = &row.record.scenario;
    let percentile = |quantile| Cell::percentile_of(row, quantile);
    let mut cells = vec![
        Cell::Count(scenario.replicas.into()),
        Cell::Count(scenario.workers.into()),
        load,
        Cell::text(row.judgement.verdict.status()),
        Cell::number(row.primary.map(|figures| figures.goodput), 1),
        percentile(0.50),
        percentile(0.95),
        percentile(0.99),
        Cell::number(row.aggregated.map(|figures| figures.rps), 1),
        Cell::number(row.aggregated.and_then(|figures| figures.failures_pct), 2),
        Cell::count(row.requests),
        Cell::number(row.seconds, 2),
    ];
    if has_repeats {
        let repeat = if scenario.drift { "at the end".to_owned() } else { scenario.repeat.to_string() };
        cells.insert(3, Cell::text(repeat));
    }
    cells
}
