//! Medians and spread over the repeats, and drift between the first scenario and its repeat at the end.

use super::{Block, Cell, Column, Section, Sentence, Table};
use crate::judge::{Point, Row, drift, drift_ends};

const INTRO: &str = "The median over the valid repeats of each point, with the lowest and the highest value.";

/// The points that were measured more than once; `None` if there are none.
pub(super) fn section(points: &[Point<'_, '_>]) -> Option<Section> {
    let mut table = Table::new(vec![
        Column::words("Point"),
        Column::numbers("Valid"),
        Column::measured("Primary, successful", "requests/s"),
        Column::measured("Lowest", "requests/s"),
        Column::measured("Highest", "requests/s"),
        Column::measured("Spread", "%"),
        Column::measured("P95", "ms"),
        Column::measured("Lowest P95", "ms"),
        Column::measured("Highest P95", "ms"),
    ]);
    for point in points.iter().filter(|point| point.recorded > 1) {
        let (rps, p95) = point.spread();
        let spread = (point.rps > 0.0).then(|| 100.0 * (rps.1 - rps.0) / point.rps);
        let cells = vec![
            Cell::text(point.rows.first().map(|row| row.point()).unwrap_or_default()),
            Cell::text(format!("{} of {}", point.rows.len(), point.recorded)),
            Cell::number(Some(point.rps), 1),
            Cell::number(Some(rps.0), 1),
            Cell::number(Some(rps.1), 1),
            Cell::number(spread, 1),
            Cell::response_time(point.p95_us),
            Cell::response_time(p95.map(|(low, _)| low)),
            Cell::response_time(p95.map(|(_, high)| high)),
        ];
        table.push(point.rows.iter().copied(), cells);
    }
    let is_empty = table.rows.is_empty();
    let section = Section::new("repeats", "Repeats", vec![Block::Table(table)]);
    (!is_empty).then(|| section.with_intro(INTRO))
}

/// The first scenario beside its repeat at the end; `None` if it was not repeated.
pub(super) fn drift_section(rows: &[Row<'_>]) -> Option<Section> {
    let (first, last) = drift_ends(rows)?;
    let sentence = Sentence::about([first, last], drift(rows)?);
    Some(Section::new("drift", "Drift", vec![Block::Paragraph(sentence)]))
}
