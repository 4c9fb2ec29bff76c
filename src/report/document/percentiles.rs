//! How certain the percentiles are.

use super::{Block, Cell, Column, Section, Table};
use crate::judge::Row;
use crate::measure::{Estimate, percentile_name};

const INTRO: &str = "Each cell has the percentile; in brackets its 95 % confidence interval from order \
    statistics; and after ≤ the early-stop value, which the percentile does not exceed with 99 % confidence \
    (MLPerf). n/a (n<459) means that the percentile needs 459 samples and has fewer. The interval takes requests \
    as independent. In a queue, neighbouring requests wait for the same ones, so the true interval is wider.";

/// The percentiles that every report shows, as quantiles from 0 to 1.
const QUANTILES: [f64; 5] = [0.50, 0.90, 0.95, 0.99, 0.999];

/// Each percentile of the primary endpoint with its samples and its uncertainty; `None` without a window.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut columns = vec![Column::words("Scenario"), Column::numbers("n")];
    columns.extend(
        QUANTILES.map(|quantile| Column { unit: Some("ms"), ..Column::words(percentile_name(quantile)) }),
    );
    let mut table = Table::new(columns);
    for row in rows {
        let Some(counts) = row.counts else { continue };
        let mut cells = vec![Cell::text(row.name()), Cell::Count(counts.histogram.count())];
        let estimates = QUANTILES.map(|quantile| Estimate::of(&counts.histogram, quantile));
        cells.extend(estimates.iter().map(Cell::percentile_with_interval));
        table.push([row], cells);
    }
    let is_empty = table.rows.is_empty();
    let section =
        Section::new("percentiles", "Percentiles of the primary endpoint", vec![Block::Table(table)]);
    (!is_empty).then(|| section.with_intro(INTRO))
}
