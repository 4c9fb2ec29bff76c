//! How certain the percentiles are.

use super::{Block, Cell, Column, Section, Table};
use crate::judge::{Row, certainty_of_row};
use crate::measure::{Estimate, percentile_name};

const INTRO: &str = "Each cell has the percentile over all requests, a failed one counting as infinitely slow (∞ if \
    so many failed), and in brackets its 95 % confidence interval from one run. That interval holds the percentile \
    of this run's spread of connections over the replicas; it cannot see how another run would spread them: only \
    repeats can. There is no interval if no method holds: in the open model, for a row that is not steady, for a window \
    shorter than ten mean responses (fifty from P99 on), with too few samples, with cuts that are not exact, or if failed requests \
    make the percentile infinite in a part of the window. n/a (n<459) means that the percentile needs 459 samples \
    and has fewer.";

/// The percentiles that every report shows, as quantiles from 0 to 1.
const QUANTILES: [f64; 5] = [0.50, 0.90, 0.95, 0.99, 0.999];

/// Each percentile of the primary endpoint with its samples and its confidence interval; `None` without a window.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut columns = vec![Column::words("Scenario"), Column::numbers("n")];
    columns.extend(
        QUANTILES.map(|quantile| Column { unit: Some("ms"), ..Column::words(percentile_name(quantile)) }),
    );
    let mut table = Table::new(columns);
    for row in rows {
        let Some(counts) = row.counts else { continue };
        let mut cells = vec![Cell::text(row.name()), Cell::Count(counts.histogram.count())];
        cells.extend(QUANTILES.map(|quantile| {
            let estimate = Estimate::of(&counts.histogram, quantile);
            Cell::percentile_with_interval(&estimate, &certainty_of_row(row, quantile))
        }));
        table.push([row], cells);
    }
    let is_empty = table.rows.is_empty();
    let section =
        Section::new("percentiles", "Percentiles of the primary endpoint", vec![Block::Table(table)]);
    (!is_empty).then(|| section.with_intro(INTRO))
}
