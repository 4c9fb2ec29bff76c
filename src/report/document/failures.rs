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
    let mut errors = same_kinds(&row.record.errors);
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = errors.len().saturating_sub(MOST_KINDS);
    let mut said: Vec<String> =
        errors.iter().take(MOST_KINDS).map(|(error, count)| format!("{count} × {error}")).collect();
    if more > 0 {
        said.push(format!("{more} more kinds"));
    }
    if said.is_empty() { "not told".to_owned() } else { said.join("; ") }
}

/// The errors, with those together that differ only in an id. (The module beside the locustfile has folded most of them;
/// Locust alone has not.)
fn same_kinds(errors: &[(String, u64)]) -> Vec<(String, u64)> {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for (error, count) in errors {
        let kind = without_ids(error);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, total)) => *total += count,
            None => kinds.push((kind, *count)),
        }
    }
    kinds
}

/// The text with `…` for each word that looks like an id: a UUID, 12 or more characters with a digit, or a number of five
/// or more digits.
fn without_ids(text: &str) -> String {
    let is_inside =
        |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_inside) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|character| !is_inside(character)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        folded.push_str(before);
        folded.push_str(if is_id(word) { "…" } else { word });
        rest = after;
    }
    folded.push_str(rest);
    folded
}

fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits == word.len() && digits >= 5;
    let parts: Vec<usize> = word.split('-').map(str::len).collect();
    let is_uuid =
        parts == [8, 4, 4, 4, 12] && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let is_long = digits > 0 && word.len() >= 12 && !word.contains('-');
    is_number || is_uuid || is_long
}

/// The replicas that counted answers with an error status, with their counts.
fn replicas(row: &Row<'_>) -> String {
    let replicas = &row.record.replicas;
    let failed = replicas.iter().filter_map(|replica| {
        let failed = replica.failed()?;
        (failed > 0).then(|| format!("{failed} on {}", replica.pod))
    });
    let failed: Vec<_> = failed.collect();
    let is_known = !replicas.is_empty() && replicas.iter().all(|replica| replica.failed().is_some());
    match (failed.is_empty(), is_known) {
        (false, _) => failed.join("; "),
        // The requests failed on the way, or a check in the test script failed them.
        (true, true) => "none of them counted an error".to_owned(),
        (true, false) => "not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;
    use records::Replica;

    #[test]
    fn failures_that_differ_only_in_an_id_are_one_kind() {
        let errors = [
            ("POST a | b: got (1, 10) for request 0b9e9e2c-3a1f-4c0b-9d53-0242ac120002'", 1),
            ("POST a | b: got (1, 10) for request 5f8a1c77-58cc-4372-a567-0e02b2c3d479'", 2),
            ("GET /x: HTTPError('404 Client Error: Not Found for url: GET two')", 43),
            ("GET /x: HTTPError('503 Server Error: req_7f3Kx92LmPq', 123456)", 1),
            ("GET /x: HTTPError('503 Server Error: req_9a1Bc34DeFg', 654321)", 1),
        ];
        let errors: Vec<_> = errors.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect();
        assert_eq!(
            same_kinds(&errors),
            [
                ("POST a | b: got (1, 10) for request …'".to_owned(), 3),
                ("GET /x: HTTPError('404 Client Error: Not Found for url: GET two')".to_owned(), 43),
                ("GET /x: HTTPError('503 Server Error: …', …)".to_owned(), 2),
            ]
        );
    }

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
