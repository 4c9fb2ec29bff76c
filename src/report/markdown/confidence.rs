//! How sure the figures are: intervals, early-stop values, repeats, and the other ways to count.

use std::fmt::Write;

use records::{Histogram, ms};

use super::{number, shown};
use crate::judge::{Point, Row};
use crate::measure::Estimate;

/// Those that every report shows; an objective may name more.
const SHARES: [f64; 4] = [0.50, 0.90, 0.95, 0.99];

/// Each percentile with its samples, its interval and its early-stop value.
pub(super) fn percentiles(text: &mut String, rows: &[Row<'_>]) {
    if !rows.iter().any(|row| row.counts.is_some()) {
        return;
    }
    text.push_str("## Percentiles of the primary endpoint\n\nIn ms: the value, its 95 % confidence interval from order statistics, and after ≤ the early-stop value, which the percentile does not exceed with 99 % confidence (MLPerf). `n/a (n<459)` has fewer samples than that takes. The interval takes requests as independent; in a queue, neighbours wait for the same ones, and the truth is wider.\n\n");
    text.push_str("| Scenario | n | P50 | P90 | P95 | P99 | P99.9 |\n|---|---:|---|---|---|---|---|\n");
    for row in rows {
        let Some(counts) = row.counts else { continue };
        let cells = SHARES
            .into_iter()
            .chain([0.999])
            .map(|quantile| cell(&Estimate::of(&counts.histogram, quantile)));
        let cells = cells.collect::<Vec<_>>().join(" | ");
        let _ = writeln!(text, "| {} | {} | {cells} |", row.name(), counts.histogram.count());
    }
    text.push('\n');
}

/// `508 [502, 512] ≤ 515`.
fn cell(estimate: &Estimate) -> String {
    if !estimate.is_sampled() {
        return estimate.to_string();
    }
    let side = |side: Option<u64>| side.map_or("?".to_owned(), ms);
    let (low, high) = estimate.bounds_us;
    let early = estimate.early_stop_us.map_or(String::new(), |us| format!(" ≤ {}", ms(us)));
    format!("{estimate} [{}, {}]{early}", side(low), side(high))
}

/// All requests, successful ones alone, and what coordinated omission hides.
pub(super) fn all_and_successful(text: &mut String, closed: &[Row<'_>], open: &[Row<'_>]) {
    let measured = |rows: &[Row<'_>]| rows.iter().any(|row| row.counts.is_some());
    if measured(closed) {
        text.push_str("## Other ways to count: closed model\n\nPrimary endpoint, ms. Successful requests alone, so that fast errors cannot improve a percentile; and corrected for coordinated omission: as if each user had asked once per typical cycle (median response and think time) whether answered or not, which is what users who do not wait would see of a stall.\n\n");
        text.push_str("| Scenario | P50 all | P95 all | P99 all | n successful | P50 successful | P95 successful | P99 successful | Cycle ms | P50 corrected | P95 corrected | P99 corrected |\n");
        text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
        for row in closed {
            let Some(counts) = row.counts else { continue };
            let corrected = row.corrected();
            let interval = corrected.as_ref().map(|(_, interval)| *interval);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.name(),
                three(Some(&counts.histogram)),
                counts.succeeded.count(),
                three(Some(&counts.succeeded)),
                shown(interval.map(ms)),
                three(corrected.as_ref().map(|(histogram, _)| histogram)),
            );
        }
        text.push('\n');
    }
    if measured(open) {
        text.push_str("## Other ways to count: open model\n\nPrimary endpoint, ms. Latency from when each request was due, of all and of successful requests; and from when it was really sent, which leaves out what it waited for a free user.\n\n");
        text.push_str("| Scenario | P50 all | P95 all | P99 all | n successful | P50 successful | P95 successful | P99 successful | P50 from send | P95 from send | P99 from send |\n");
        text.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
        for row in open {
            let Some(counts) = row.counts else { continue };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                row.name(),
                three(Some(&counts.histogram)),
                counts.succeeded.count(),
                three(Some(&counts.succeeded)),
                three(counts.from_send.as_ref()),
            );
        }
        text.push('\n');
    }
}

/// Median, P95 and P99 as three cells.
fn three(histogram: Option<&Histogram>) -> String {
    let cell = |quantile| shown(histogram.map(|histogram| Estimate::of(histogram, quantile)));
    [0.50, 0.95, 0.99].map(cell).join(" | ")
}

/// Medians and spread over the repeats, and drift.
pub(super) fn repeats(text: &mut String, points: &[Point<'_, '_>], drift: Option<String>) {
    let repeated: Vec<_> = points.iter().filter(|point| point.recorded > 1).collect();
    if !repeated.is_empty() {
        text.push_str(
            "## Repeats\n\nMedian over the valid repeats of each point, with the lowest and the highest.\n\n",
        );
        text.push_str("| Point | Valid | Primary requests/s | Lowest – highest | Spread % | P95 ms | Lowest – highest |\n|---|---:|---:|---:|---:|---:|---:|\n");
        for point in repeated {
            let (rps, tails) = point.spread();
            let spread = (point.rps > 0.0).then(|| 100.0 * (rps.1 - rps.0) / point.rps);
            let _ = writeln!(
                text,
                "| {} | {} of {} | {:.1} | {:.1} – {:.1} | {} | {} | {} |",
                point.rows.first().map(|row| row.point()).unwrap_or_default(),
                point.rows.len(),
                point.recorded,
                point.rps,
                rps.0,
                rps.1,
                number(spread, 1),
                shown(point.p95_us.map(ms)),
                shown(tails.map(|(low, high)| format!("{} – {}", ms(low), ms(high)))),
            );
        }
        text.push('\n');
    }
    if let Some(drift) = drift {
        let _ = writeln!(text, "## Drift\n\n{drift}\n");
    }
}
