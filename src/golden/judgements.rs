//! Simulated measurements, and what they are worth: verdict, reasons, figures and intervals.

use std::fmt::Write as _;

use expect_test::expect_file;
use records::{Objective, Record};

use super::cell::{Cell, Change, SERVICES};
use super::measurement::record;
use super::{chance, rounded};
use crate::judge::{
    JudgedRun, Row, all_points, certainty_of_point, certainty_of_row, goodput_of_point, outcome_of, outcomes,
};
use crate::measure::{Next, next, steady_from, unsteady_because, window_from};

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for service in SERVICES {
        cells.extend([
            Cell::closed(1, 3, 0.0, service),
            Cell::closed(2, 40, 0.0, service),
            Cell::closed(2, 40, 0.0, service).until_stable(),
            Cell::closed(2, 60, 1.0, service).window(40.0),
            Cell::closed(4, 50, 0.0, service).random(),
            Cell::closed(2, 40, 0.0, service).split(vec![30, 10]),
            Cell::closed(1, 30, 0.0, service).cold(),
            Cell::closed(1, 16, 0.0, service).sheds(8),
            Cell::closed(1, 4, 0.0, service).changing(Change::SlowsDown(1.5)),
            Cell::closed(1, 4, 0.0, service).changing(Change::WarmsUp { factor: 2.0, time: 0.3 }),
            Cell::open(1, 0.5, service),
            Cell::open(2, 0.8, service),
            Cell::open(2, 0.8, service).until_stable(),
            Cell::open(1, 0.97, service),
            Cell::open(1, 1.1, service),
            Cell::open(1, 1.5, service).sheds(4),
            Cell::open(1, 0.6, service).changing(Change::SlowsDown(2.0)),
        ]);
    }
    cells
}

#[test]
fn what_measurements_are_worth() {
    let mut text = String::new();
    for (at, cell) in (0..).zip(cells()) {
        let repeats = 1 + at % 3;
        let records: Vec<Record> = (1..=repeats)
            .map(|repeat| {
                let mut record = record(&cell, repeat, 100 * u64::from(at) + u64::from(repeat));
                record.scenario.id = format!("simulated-{repeat}");
                record.objective = objective(at);
                record
            })
            .collect();
        let _ = writeln!(text, "## {}", cell.name);
        describe(&records, &mut text);
        text.push('\n');
    }
    expect_file!["expected/judgements.txt"].assert_eq(&rounded(&text));
}

/// Goals of every kind, from easy to hard.
fn objective(at: u32) -> Objective {
    let ease = 0.5 + 2.0 * chance(u64::from(at));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time")]
    let ms = |typical: f64| Some((typical * ease) as u32);
    Objective {
        p50_ms: if at.is_multiple_of(4) { ms(150.0) } else { None },
        p95_ms: ms(400.0),
        p99_ms: if at.is_multiple_of(5) { ms(900.0) } else { None },
        failures_pct: at.is_multiple_of(3).then_some(0.5),
        rps: at.is_multiple_of(2).then_some(40.0 / ease),
        ..Objective::default()
    }
}

fn describe(records: &[Record], text: &mut String) {
    let run = JudgedRun::of(records);
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    for row in &rows {
        let _ = writeln!(text, "{}", row.judgement.in_words());
        let _ = writeln!(text, "    {:?}", row.primary);
        for q in [0.5, 0.95, 0.999] {
            let _ = writeln!(text, "    {q}: {:?}", certainty_of_row(row, q));
        }
        steadiness(row.record, text);
    }
    for point in all_points(&rows) {
        for q in [0.5, 0.95] {
            let _ = writeln!(text, "point {q}: {:?}", certainty_of_point(&point, q));
        }
        let _ = writeln!(text, "goodput: {:?}", goodput_of_point(&point));
        let _ = writeln!(text, "{:?}", outcome_of(&point, &records[0].objective));
    }
    for outcome in outcomes(&run) {
        let _ = writeln!(
            text,
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            outcome.worth,
            outcome.objective,
            outcome.rps,
            outcome.p95_us,
            outcome.headroom,
            outcome.throughput
        );
    }
}

/// The decision of the stopping rule after each interval: `c` closes the measurement, `.` goes on.
fn steadiness(record: &Record, text: &mut String) {
    let Some(rule) = &record.stopping_rule else { return };
    let decided = (1..=record.intervals.len()).map(|count| match next(rule, &record.intervals[..count]) {
        Next::Close => 'c',
        _ => '.',
    });
    let decided: String = decided.collect();
    let steady = steady_from(rule, &record.intervals);
    let why = unsteady_because(rule, &record.intervals);
    let _ = writeln!(text, "    {decided} {} {steady:?} {why:?}", window_from(rule, &record.intervals));
}
