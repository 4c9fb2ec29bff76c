//! How the load generator was doing, and what its worker axis shows.

use std::fmt::Write;

use records::ms;

use super::{number, shown};
use crate::judge::{Row, WorkerPair};
use crate::measure::Saturation;

pub(super) fn workers(text: &mut String, rows: &[Row<'_>], pairs: &[WorkerPair]) {
    if rows.iter().all(|row| row.record.workers.is_empty()) {
        return;
    }
    text.push_str("## Load generator\n\nThe worst of the workers over the window. At its limit is one that uses 90 % of the CPU it can have (one core, or less by its limit), is throttled in more than 1 % of its periods, or whose event loop is late by more than 10 ms (P95).\n\n");
    text.push_str("| Scenario | Busiest worker CPU % | Throttled % | Event loop late, P95 ms | Memory MiB |\n|---|---:|---:|---:|---:|\n");
    for row in rows {
        let workers = &row.record.workers;
        let strains: Vec<_> =
            workers.iter().filter_map(|worker| Saturation::of(&worker.over_window()?)).collect();
        let most = |of: fn(&Saturation) -> Option<f64>| strains.iter().filter_map(of).reduce(f64::max);
        // Locust's own figure where the workers do not tell theirs.
        let stock = workers.iter().map(|worker| worker.cpu_percent).reduce(f64::max);
        let cpu = most(|strain| Some(100.0 * strain.cpu)).or(stock);
        let memory = workers.iter().map(|worker| worker.memory_bytes >> 20).max();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            row.name(),
            number(cpu, 0),
            number(most(|strain| Some(100.0 * strain.throttled?)), 1),
            shown(strains.iter().filter_map(|strain| strain.lag_us).max().map(ms)),
            shown(memory),
        );
    }
    text.push('\n');
    if pairs.is_empty() {
        return;
    }
    text.push_str("The paired test of the worker axis: the same users on fewer and on more workers, compared by the median of rows that are steady. More throughput with more workers, also from the busiest replica, means that the fewer were the limit. Where both are at the same limit, such as a machine they share, it shows nothing; and it says nothing about the service.\n\n");
    for pair in pairs {
        let _ = writeln!(text, "- {}.", pair.sentence());
    }
    text.push('\n');
}
