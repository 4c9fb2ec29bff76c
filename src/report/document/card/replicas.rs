//! What each replica counted and held.

use crate::judge::Row;
use crate::report::document::{Cell, Column, Table};

/// A row per replica; `None` if none is known.
pub(super) fn table(row: &Row<'_>) -> Option<Table> {
    let replicas = &row.record.replicas;
    let mut table = Table::new(vec![
        Column::words("Replica"),
        Column::numbers("Its own count of requests"),
        Column::measured("Share", "%"),
        Column::numbers("Answers with an error status"),
        Column::numbers("Requests under way, mean"),
    ]);
    let all: u64 = replicas.iter().filter_map(records::Replica::total).sum();
    for replica in replicas {
        let share = replica.total().filter(|_| all > 0).map(|total| 100.0 * total as f64 / all as f64);
        let cells = vec![
            Cell::text(&replica.pod),
            Cell::count(replica.total()),
            Cell::number(share, 1),
            Cell::count(replica.failed()),
            Cell::number(replica.under_way, 1),
        ];
        table.push([row], cells);
    }
    (!table.rows.is_empty()).then_some(table)
}
