//! Every file of the reports: of a matrix with rows of every kind, of repeats in both models, and of a search.

use std::str::from_utf8;

use expect_test::expect_file;
use fake_inference::simulation::Service;
use records::{Gate, Mode, Objective, Question, Record, Search};

use super::cell::{Cell, SERVICES};
use super::matrix::{matrix, spoil};
use super::measurement::record;
use super::search;
use crate::judge::{JudgedRun, outcomes};
use crate::plan::{Plan, SearchPlan};
use crate::report::render;

/// Compares each file, except those that `left_out` names.
fn compare(folder: &str, records: &[Record], left_out: &[&str]) {
    let compared = render(&JudgedRun::of(records), &mut |name, bytes| {
        if !left_out.contains(&name.as_str()) {
            expect_file![format!("expected/{folder}/{name}")].assert_eq(from_utf8(&bytes).unwrap());
        }
        Ok(())
    });
    compared.unwrap();
}

#[test]
fn the_reports_of_a_matrix() {
    let mut records = matrix(&[1, 2, 4], &[2, 4], &[50, 100, 200, 400], false);
    spoil(&mut records);
    for record in &mut records {
        record.environment.question.gates = vec![Gate { replicas: Some(4), ..Gate::default() }];
        record.objective.rps = Some(60.0);
    }
    compare("matrix", &records, &[]);
}

#[test]
fn the_page_of_a_small_matrix_with_time_lines() {
    let mut records = matrix(&[1, 2], &[4], &[200, 400], true);
    spoil(&mut records);
    let text = ["auto_summary.md", "summary.md", "junit.xml", "load-performance.json", "metrics.txt"];
    compare("small", &records, &text);
}

#[test]
fn the_reports_of_repeats_in_both_models() {
    let mut records = Vec::new();
    let service = SERVICES[1];
    for cell in [
        Cell::closed(1, 8, 0.0, service),
        Cell::closed(1, 16, 0.0, service).sheds(8),
        Cell::closed(2, 30, 0.5, service),
        Cell::open(1, 0.5, service),
        Cell::open(1, 1.2, service),
        Cell::open(2, 0.7, service),
    ] {
        for repeat in 1..=3 {
            let index = records.len();
            let mut record = record(&cell, repeat, index as u64);
            record.scenario.index = index;
            record.scenario.id = format!("{}-{repeat}", record.scenario.point_id());
            record.objective =
                Objective { p95_ms: Some(600), failures_pct: Some(2.0), ..Objective::default() };
            records.push(record);
        }
    }
    compare("repeats", &records, &["report.html"]);
}

#[test]
fn the_reports_of_a_search() {
    let search = Search { wanted: Some(100.0), confirm: true, ..search(Mode::Closed, &[1, 2, 4, 6]) };
    let plan = SearchPlan { search: search.clone() };
    let mut records: Vec<Record> = Vec::new();
    while let Some(scenario) = plan.next(&outcomes(&JudgedRun::of(&records))) {
        let service = ("", Service::Exponential(0.05));
        let cell = Cell::closed(scenario.replicas as usize, scenario.users as usize, 0.0, service);
        let mut measured = record(&cell.until_stable(), 1, records.len() as u64);
        measured.objective = Objective { p95_ms: Some(500), ..Objective::default() };
        measured.environment.question = Question { search: Some(search.clone()), ..Question::default() };
        measured.scenario = scenario;
        records.push(measured);
    }
    compare("search", &records, &[]);
}
