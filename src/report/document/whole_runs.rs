//! The figures over the whole run of each scenario, with the replicas' own counts.

use records::Replica;

use super::{Block, Cell, Column, Section, Table};
use crate::judge::Row;
use crate::measure::{Figures, busiest_over_mean};

const INTRO: &str = "The figures cover everything from the first request of the ramp to the last response after the \
    stop. Beside them are each replica's own count of the same requests, and the count of the busiest replica \
    divided by the mean; and the mean number of requests under way at each replica while it was measured, which shows \
    an uneven spread of users even if all replicas are full.";

/// The requests under way at each replica; missing if no replica tells.
fn under_way(replicas: &[Replica]) -> Cell {
    let known: Option<Vec<f64>> = replicas.iter().map(|replica| replica.under_way).collect();
    let Some(known) = known.filter(|known| !known.is_empty()) else { return Cell::Missing };
    Cell::text(known.iter().map(|mean| format!("{mean:.1}")).collect::<Vec<_>>().join(" + "))
}

/// The whole run of each scenario.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut table = Table::new(vec![
        Column::words("Scenario"),
        Column::numbers("Requests"),
        Column::numbers("Failed"),
        Column::numbers("Requests/s"),
        Column::measured("P95", "ms"),
        Column::words("Replicas' own counts"),
        Column::numbers("Busiest / mean"),
        Column::words("Under way per replica"),
    ]);
    for row in rows {
        let Some(whole) = &row.record.whole_run else { continue };
        let replicas = &row.record.replicas;
        let figures = Figures::of(&whole.aggregated, whole.seconds);
        let own = replicas.iter().map(Replica::total);
        let own: Vec<_> = own.map(|count| count.map_or("?".to_owned(), |count| count.to_string())).collect();
        let cells = vec![
            Cell::text(row.name()),
            Cell::Count(whole.aggregated.requests),
            Cell::Count(whole.aggregated.failures),
            Cell::number(Some(figures.rps), 1),
            Cell::response_time(figures.p95_us),
            Cell::text(own.join(" + ")),
            Cell::number(busiest_over_mean(replicas), 2),
            under_way(replicas),
        ];
        table.push([row], cells);
    }
    let is_empty = table.rows.is_empty();
    let section = Section::new("whole-runs", "Whole runs", vec![Block::Table(table)]);
    (!is_empty).then(|| section.with_intro(INTRO))
}
