//! The whole run of each scenario, with the replicas' own counts, and what its time was spent on.

use std::fmt::Write;

use records::{Replica, ms};

use super::number;
use crate::judge::Row;
use crate::measure::{Figures, busiest_over_mean};

/// The figures over everything, ramp included, the way the first reports gave them.
pub(super) fn whole_runs(text: &mut String, rows: &[Row<'_>]) {
    text.push_str("## Whole runs\n\nFrom the first request of the ramp to the last answer after the stop, with each replica's own count of the same requests, and the busiest one's share over the mean.\n\n");
    text.push_str("| Scenario | Requests | Failed | Requests/s | P95 ms | Replicas' own counts | Busiest / mean |\n|---|---:|---:|---:|---:|---|---:|\n");
    for row in rows {
        let Some(whole) = &row.record.whole_run else {
            continue;
        };
        let figures = Figures::of(&whole.aggregated, whole.seconds);
        let counts = row.record.replicas.iter().map(Replica::total);
        let own: Vec<_> =
            counts.map(|count| count.map_or("?".to_owned(), |count| count.to_string())).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} | {} | {} | {} |",
            row.name(),
            whole.aggregated.requests,
            whole.aggregated.failures,
            figures.rps,
            super::shown(figures.p95_us.map(ms)),
            own.join(" + "),
            number(busiest_over_mean(&row.record.replicas), 2),
        );
    }
    text.push('\n');
}

/// What each scenario's time was spent on; all but ramp, warm-up, window and the stop inside the cooldown
/// is the harness's own.
pub(super) fn orchestration(text: &mut String, rows: &[Row<'_>]) {
    text.push_str("## Where the time went\n\nSeconds per phase. Getting ready and cutting are the harness's own; measuring is longer than the row's window where it took time to become steady; the stop is inside the cooldown.\n\n");
    text.push_str("| Scenario | Getting ready | Ramp and warm-up | Cutting | Measuring | Stop |\n");
    text.push_str("|---|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let seconds = |phases: &[&str]| number(row.record.seconds_in(phases), 2);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.name(),
            seconds(&["scale", "ready"]),
            seconds(&["ramp", "warmup"]),
            seconds(&["open", "close"]),
            seconds(&["window"]),
            seconds(&["drain"]),
        );
    }
    text.push('\n');
}
