//! The percentiles of the primary endpoint: how certain they are, and what they are if they are counted in other ways.

use records::Histogram;

use super::{Block, Cell, Column, Section, Table};
use crate::judge::{Row, certainty_of_row};
use crate::measure::{Estimate, percentile_name};

const INTRO: &str = "In the rows “all”, each cell has the percentile over all requests, a failed one counting as \
    infinitely slow (∞ if so many failed), and in brackets its 95 % confidence interval from one run. That interval \
    holds the percentile of this run's spread of connections over the replicas; it cannot see how another run would \
    spread them: only repeats can. There is no interval if no method holds: in the open model, for a row that is not \
    steady, for a window shorter than ten mean responses (fifty from P99 on), with too few samples, with cuts that are \
    not exact, or if failed requests make the percentile infinite in a part of the window. n/a (n<459) means that the \
    percentile needs 459 samples and has fewer. Other ways to count have a row of their own if they give other \
    figures. “Successful” leaves out the failed requests. “Corrected” is corrected for coordinated \
    omission: it shows a stall as users would see it who do not wait, but ask once per typical cycle (median response \
    time plus think time). “From send” counts from the time at which the request was really sent, \
    which leaves out its wait for a free user.";

/// The percentiles that every report shows, as quantiles from 0 to 1.
const QUANTILES: [f64; 5] = [0.50, 0.90, 0.95, 0.99, 0.999];

/// Each percentile of the primary endpoint with its samples and its confidence interval; `None` without a window.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut columns = vec![Column::words("Scenario"), Column::words("Counted"), Column::numbers("n")];
    columns.extend(
        QUANTILES.map(|quantile| Column { unit: Some("ms"), ..Column::words(percentile_name(quantile)) }),
    );
    let mut table = Table::new(columns);
    for row in rows {
        let Some(counts) = row.counts else { continue };
        let mut cells =
            vec![Cell::text(row.name()), Cell::text("all"), Cell::Count(counts.histogram.count())];
        cells.extend(QUANTILES.map(|quantile| {
            let estimate = Estimate::of(&counts.histogram, quantile);
            Cell::percentile_with_interval(&estimate, &certainty_of_row(row, quantile))
        }));
        table.push([row], cells);
        for (name, histogram) in other_counts(row) {
            let mut cells = vec![Cell::text(row.name()), Cell::text(name), Cell::Count(histogram.count())];
            cells.extend(
                QUANTILES.map(|quantile| Cell::percentile(Some(&Estimate::of(&histogram, quantile)))),
            );
            table.push([row], cells);
        }
    }
    let is_empty = table.rows.is_empty();
    let section =
        Section::new("percentiles", "Percentiles of the primary endpoint", vec![Block::Table(table)]);
    (!is_empty).then(|| section.with_intro(INTRO))
}

/// The other ways to count that give other figures.
fn other_counts(row: &Row<'_>) -> Vec<(String, Histogram)> {
    let Some(counts) = row.counts else { return Vec::new() };
    let mut found = Vec::new();
    if counts.failures > 0 {
        found.push(("successful".to_owned(), counts.succeeded.clone()));
    }
    if let Some((corrected, cycle_us)) = row.corrected() {
        found.push((format!("corrected, cycle {} ms", records::ms(cycle_us)), corrected));
    }
    if let Some(from_send) = &counts.from_send {
        found.push(("from send".to_owned(), from_send.clone()));
    }
    let values = |histogram: &Histogram| QUANTILES.map(|q| histogram.quantile(q));
    let all = values(&counts.histogram);
    found.retain(|(name, histogram)| name == "successful" || values(histogram) != all);
    found
}
