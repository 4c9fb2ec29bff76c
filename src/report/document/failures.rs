//! The failed requests: how many, which, since when, and on which replicas.

use super::{Block, Cell, Column, Section, Table};
use crate::judge::Row;

const INTRO: &str = "Failed requests of each scenario. The share is of the primary endpoint in the window. The first \
    failure counts from the beginning of the measurement. The errors are as the load generator tells them, over the \
    whole run of the scenario, and the replicas are those that counted answers with an error status.";

/// The kinds of errors that are listed per scenario.
const MOST_KINDS: usize = 5;

/// The scenarios with failed requests; `None` if no request failed.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let mut table = Table::new(vec![
        Column::words("Scenario"),
        Column::measured("Failed of primary", "%"),
        Column::numbers("Failed of primary"),
        Column::measured("First failure", "s"),
        Column::words("Errors"),
        Column::words("Replicas"),
    ]);
    for row in rows {
        let in_window = row.record.window.as_ref().map_or(0, |window| window.aggregated.failures);
        if in_window == 0 && row.record.errors.is_empty() {
            continue;
        }
        let first = row.record.samples.iter().find(|sample| sample.failures > 0).map(|sample| sample.at);
        table.push(
            [row],
            vec![
                Cell::text(row.name()),
                Cell::number(row.primary.and_then(|figures| figures.failures_pct), 2),
                Cell::count(row.counts.map(|counts| counts.failures)),
                Cell::number(first, 0),
                Cell::text(errors(row)),
                Cell::text(replicas(row)),
            ],
        );
    }
    let is_empty = table.rows.is_empty();
    let section = Section::new("failures", "Failed requests", vec![Block::Table(table)]);
    (!is_empty).then(|| section.with_intro(INTRO))
}

/// The most frequent errors, with their counts.
fn errors(row: &Row<'_>) -> String {
    let mut errors = row.record.errors.clone();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = errors.len().saturating_sub(MOST_KINDS);
    let mut said: Vec<String> =
        errors.iter().take(MOST_KINDS).map(|(error, count)| format!("{count} × {error}")).collect();
    if more > 0 {
        said.push(format!("{more} more kinds"));
    }
    if said.is_empty() { "not told".to_owned() } else { said.join("; ") }
}

/// The replicas that counted answers with an error status, with their counts.
fn replicas(row: &Row<'_>) -> String {
    let failed = row.record.replicas.iter().filter_map(|replica| {
        let is_error = |key: &str| key.rsplit(' ').next().is_some_and(|status| status >= "400");
        let counts = replica.requests.as_ref()?.iter().filter(|(key, _)| is_error(key));
        let failed: u64 = counts.map(|(_, count)| count).sum();
        (failed > 0).then(|| format!("{failed} on {}", replica.pod))
    });
    let failed: Vec<_> = failed.collect();
    if failed.is_empty() { "not known".to_owned() } else { failed.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;
    use records::Replica;

    #[test]
    fn failures_are_told_with_their_errors_since_when_and_where() {
        let mut shedding = record(0, 1, 20, 800);
        let window = shedding.window.as_mut().unwrap();
        (window.aggregated.failures, window.endpoints[0].failures) = (600, 600);
        shedding.errors = vec![("POST /predict: 503".into(), 610), ("POST /predict: timeout".into(), 700)];
        let mut sample = shedding.samples[0];
        (sample.at, sample.failures) = (7.2, 3);
        shedding.samples[0].failures = 0;
        shedding.samples.push(sample);
        let counts = [("/predict 200".to_owned(), 200), ("/predict 503".to_owned(), 610)];
        shedding.replicas =
            vec![Replica { pod: "inference-a".into(), requests: Some(counts.into()), ..Replica::default() }];
        let records = [shedding, record(1, 2, 20, 800)];
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let section = section(&rows).unwrap();
        let Block::Table(table) = &section.blocks[0] else { panic!("a table") };
        let cells: Vec<String> = table.rows[0].cells.iter().map(ToString::to_string).collect();
        assert_eq!(table.rows.len(), 1, "a scenario without failures is not listed");
        assert_eq!(
            cells[1..],
            [
                "75.00",
                "600",
                "7",
                "700 × POST /predict: timeout; 610 × POST /predict: 503",
                "610 on inference-a"
            ]
        );
        assert!(super::section(&rows[1..]).is_none());
    }
}
