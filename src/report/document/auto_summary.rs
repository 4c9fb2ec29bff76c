//! `auto_summary` and `auto_summary_open`: a row per scenario, for programs. The fields never change.
//!
//! All figures are of all endpoints together, over the window. A value that was not measured is missing, and
//! never 0. A percentile of few samples is a number here, because programs expect one.

use super::{Alignment, Cell, Column, Table};
use crate::judge::Row;

/// A table for programs. The title of each column is the name of a field, which never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The name of the dataset, which is the name of its file without the extension.
    pub name: &'static str,
    /// The rows.
    pub table: Table,
}

/// The dataset of each model; the open one only if it has a row.
pub(super) fn datasets(rows: &[Row<'_>]) -> Vec<Dataset> {
    let of = |open: bool, load| {
        let mut table = Table::new(columns(load));
        for row in rows.iter().filter(|row| row.is_open() == open) {
            table.push([row], cells(row));
        }
        table
    };
    let closed = Dataset { name: "auto_summary", table: of(false, "Users") };
    // A rate is not a number of users, so it has a field of its own.
    let open = Dataset { name: "auto_summary_open", table: of(true, "Rate") };
    let has_open = !open.table.rows.is_empty();
    if has_open { vec![closed, open] } else { vec![closed] }
}

fn columns(load: &str) -> Vec<Column> {
    let fields = [
        ("Replicas", None),
        ("Workers", None),
        (load, None),
        ("RPS", Some("requests/s")),
        ("Median_ms", Some("ms")),
        ("P95_ms", Some("ms")),
        ("P99_ms", Some("ms")),
        ("Failures_Pct", Some("%")),
        ("Total_Requests", None),
        ("Duration_s", Some("s")),
        ("Timestamp", None),
        ("Status", None),
    ];
    let column = |(title, unit): (&str, _)| Column { title: title.into(), unit, alignment: Alignment::Right };
    fields.map(column).into()
}

fn cells(row: &Row<'_>) -> Vec<Cell> {
    let scenario = &row.record.scenario;
    let figures = row.aggregated;
    vec![
        Cell::Count(scenario.replicas.into()),
        Cell::Count(scenario.workers.into()),
        Cell::Given(scenario.rate.unwrap_or_else(|| f64::from(scenario.users))),
        Cell::number(figures.map(|figures| figures.rps), 2),
        Cell::response_time(figures.and_then(|figures| figures.p50_us)),
        Cell::response_time(figures.and_then(|figures| figures.p95_us)),
        Cell::response_time(figures.and_then(|figures| figures.p99_us)),
        Cell::number(figures.and_then(|figures| figures.failures_pct), 2),
        Cell::count(row.requests),
        Cell::number(row.seconds, 3),
        Cell::Time(row.record.finished_at),
        Cell::text(row.judgement.verdict.status()),
    ]
}
