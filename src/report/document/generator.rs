//! How busy the load generator was, and whether more workers got more throughput.

use super::sentence::with_full_stop;
use super::{Block, Cell, Column, Section, Sentence, Table};
use crate::judge::{Row, WorkerPair};
use crate::measure::Saturation;

const INTRO: &str = "Each value is the highest of all workers over the window. A worker is at its limit if it uses \
    90 % of the CPU that it can have (one core, or less if its CPU limit is lower), if it is throttled in more than \
    1 % of its periods, or if its event loop is late by more than 10 ms (P95).";

const PAIRS: &str = "The paired test of the worker axis compares the same users on fewer and on more workers, by the \
    median of rows that are steady. If more workers get more throughput, also from the busiest replica, the fewer \
    workers were the limit. The test shows nothing if both are at the same limit, such as a machine that they share. \
    It shows nothing about the service:";

/// The workers' health and the paired test; `None` if no worker told its health.
pub(super) fn section(rows: &[Row<'_>], pairs: &[WorkerPair]) -> Option<Section> {
    if rows.iter().all(|row| row.record.workers.is_empty()) {
        return None;
    }
    let mut table = Table::new(vec![
        Column::words("Scenario"),
        Column::measured("Busiest worker CPU", "%"),
        Column::measured("Throttled", "%"),
        Column::measured("Event loop late, P95", "ms"),
        Column::measured("Memory", "MiB"),
    ]);
    for row in rows {
        table.push([row], cells(row));
    }
    let mut blocks = vec![Block::Table(table)];
    if !pairs.is_empty() {
        let items = pairs.iter().map(|pair| {
            let about = rows.iter().filter(|row| pair.is_about(&row.record.scenario));
            Sentence::about(about, with_full_stop(&pair.sentence()))
        });
        blocks.push(Block::led(PAIRS, items.collect()));
    }
    Some(Section::new("load-generator", "Load generator", blocks).with_intro(INTRO))
}

fn cells(row: &Row<'_>) -> Vec<Cell> {
    let workers = &row.record.workers;
    let saturations: Vec<_> =
        workers.iter().filter_map(|worker| Saturation::of(&worker.over_window()?)).collect();
    let most = |of: fn(&Saturation) -> Option<f64>| saturations.iter().filter_map(of).reduce(f64::max);
    // Without the workers' own figures, those of Locust.
    let cpu_of_locust = workers.iter().map(|worker| worker.cpu_percent).reduce(f64::max);
    vec![
        Cell::text(row.name()),
        Cell::number(most(|worker| Some(100.0 * worker.cpu)).or(cpu_of_locust), 0),
        Cell::number(most(|worker| Some(100.0 * worker.throttled?)), 1),
        Cell::response_time(saturations.iter().filter_map(|worker| worker.lag_us).max()),
        Cell::count(workers.iter().map(|worker| worker.memory_bytes >> 20).max()),
    ]
}
