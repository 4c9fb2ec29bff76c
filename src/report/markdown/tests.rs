use proptest::prelude::*;
use records::{Histogram, Mode, OpenCounts, Record, Unmeasured, UnmeasuredKind, WorkerHealth};

use crate::judge::JudgedRun;
use crate::record::tests::record;
use crate::report::document::{Block, Cell, Column, Document, Section, Sentence, Table};

fn render(records: &[Record]) -> String {
    render_document(&Document::of(&JudgedRun::of(records)))
}

fn render_document(document: &Document) -> String {
    String::from_utf8(super::render(document)).unwrap()
}

/// A document of one section.
fn of_one(section: Section) -> Document {
    let (scenarios, datasets) = (Vec::new(), Vec::new());
    Document { title: "T".into(), sections: vec![section], scenarios, datasets }
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}

/// A row of the open model, at 50 requests/s.
fn open(index: usize) -> Record {
    let mut open = record(index, 1, 500, 1000);
    (open.scenario.mode, open.scenario.rate) = (Mode::Open, Some(50.0));
    open.stopping_rule.as_mut().unwrap().users = None;
    open.open = Some(OpenCounts {
        rate: 50.0,
        due: 1001,
        started: 1000,
        late: 7,
        late_max_ms: 31.4,
        skipped: 0,
        finished: None,
    });
    open.window.as_mut().unwrap().endpoints[0].from_send = Some(Histogram::of_ms([(90, 1000)]));
    open
}

#[test]
fn findings_cite_valid_rows_only() {
    let mut void = record(1, 2, 20, 2000);
    void.disturbed = Some("a replica is gone".into());
    let text = render(&[record(0, 1, 20, 800), void]);
    assert_has(&text, "Best throughput: 40.0 successful requests/s with 1 replica, 2 workers, 20 users.");
    assert_has(
        &text,
        "VOID: repeat the scenario when the cluster is calm: kubectl get events tells what happened.\n\n- 2 replicas, 2 workers, 20 users: a replica is gone.\n",
    );
    assert_has(&text, "| 1 replica, 2 workers, 20 users | 1.20 | – | – | – | – |");
    assert_has(&text, "No two valid scenarios differ in replicas alone.");
    assert_has(&text, "| Scenarios | 2 recorded, 1 valid |");
}

#[test]
fn replicas_are_compared_if_nothing_else_differs() {
    let text = render(&[record(0, 1, 20, 800), record(1, 2, 20, 1600)]);
    assert_has(
        &text,
        "The service scales with its replicas here:\n\n- 20 users on 2 workers: 2 replicas instead of 1 give 80.0 instead of 40.0 requests/s (× 2.00 for × 2.00 replicas).\n",
    );
}

#[test]
fn a_run_without_records_says_so() {
    assert_has(&render(&[]), "No scenario is recorded.");
}

#[test]
fn each_percentile_has_its_samples_and_its_interval() {
    let mut spread = record(0, 1, 20, 400);
    let counts = &mut spread.window.as_mut().unwrap().endpoints[0];
    counts.histogram = Histogram::of_ms((101..=500).map(|ms| (ms, 1)));
    counts.succeeded = counts.histogram.clone();
    for (at, interval) in spread.intervals.iter_mut().enumerate() {
        let shift = 10 * at as u64;
        interval.primary = Histogram::of_ms((281..=360).map(|ms| (ms + shift, 1)));
        interval.succeeded = Some(interval.primary.clone());
    }
    let text = render(&[spread]);
    // The medians of the sections are 320 to 360 ms, that of all of them 340: half-width 2.776 · 2.1 %.
    assert_has(&text, "| 1 replica, 2 workers, 20 users | all | 400 | 300 [");
    assert_has(&text, "| n/a (n<459) | n/a (n<4603) |");

    let mut failing = record(0, 1, 20, 400);
    let counts = &mut failing.window.as_mut().unwrap().endpoints[0];
    counts.failures = 40;
    counts.histogram = Histogram::of_ms([(1, 40), (300, 360)]);
    counts.succeeded = Histogram::of_ms([(300, 360)]);
    let text = render(&[failing]);
    // A failed request counts as infinitely slow here, and is left out of the successful ones.
    assert_has(&text, "| ∞ | n/a (n<459) | n/a (n<4603) |");
    assert_has(&text, "| successful | 360 | 300 | 300 | 300 | n/a (n<459) | n/a (n<4603) |");
    assert_has(&text, "ERRORS: see the section on failed requests");
}

#[test]
fn each_model_has_a_table_of_its_own() {
    let text = render(&[record(0, 1, 20, 800), open(1)]);
    let closed = text.split("## Scenarios: closed model").nth(1).unwrap();
    let closed = closed.split("## Scenarios: open model").next().unwrap();
    assert_has(closed, "| 1 | 2 | 20 | SUCCESS | 40.0 | 100 | 100 | 100 | 40.0 | 0.00 | 800 | 20.00 |");
    assert!(!closed.contains("| 50 |"), "{closed}");
    assert_has(
        &text,
        "| 1 | 2 | 50 | SUCCESS | 50.0 | 100 | 100 | 100 | 50.0 | 0.00 | 1000 | 20.00 | 500 | 1001 | 7 | 0 | 31 |",
    );
    assert_has(
        &text,
        "| 1 replica, 2 workers, 50 requests/s (open) | from send | 1000 | 90.0 | 90.0 | 90.0 | 90.0 | n/a (n<4603) |",
    );
    assert!(!render(&[open(0)]).contains("closed model"));
}

#[test]
fn only_the_corrected_columns_show_a_stall() {
    let mut stalls = record(0, 1, 10, 1810);
    let counts = &mut stalls.window.as_mut().unwrap().endpoints[0];
    counts.histogram = Histogram::of_ms([(50, 1800), (1000, 10)]);
    counts.succeeded = counts.histogram.clone();
    stalls.stopping_rule.as_mut().unwrap().think_s = 0.0;
    let text = render(&[stalls]);
    assert_has(&text, "| corrected, cycle 50.0 ms | 2000 | 50.0 | 50.0 | 500 | 900 |");
}

#[test]
fn rows_with_too_few_workers_are_named_and_not_cited() {
    let mut more = record(1, 1, 20, 1200);
    more.scenario.workers = 4;
    more.scenario.id = format!("{}-1", more.scenario.point_id());
    let mut records = [record(0, 1, 20, 800), more];
    for record in &mut records {
        record.workers = vec![WorkerHealth {
            id: "locust-worker-1_x".into(),
            cpu_percent: 61.0,
            memory_bytes: 60 << 20,
            opening: None,
            closing: None,
        }];
    }
    let text = render(&records);
    assert_has(
        &text,
        "- 1 replica, 20 users: 2 → 4 workers gives 40.0 → 60.0 requests/s (× 1.50); 2 workers were the limit, not the service.",
    );
    assert_has(
        &text,
        "LOADGEN_LIMITED: use more workers, or give them more CPU.\n\n- 1 replica, 2 workers, 20 users: with 4 workers, the same users get more",
    );
    assert_has(&text, "| 1 replica, 2 workers, 20 users | 61 | – | – | 60 |");
    assert_has(&text, "Best throughput: 60.0 successful requests/s with 1 replica, 4 workers, 20 users.");
}

#[test]
fn repeats_have_medians_and_spread() {
    let mut records: Vec<Record> = [800, 840, 812].map(|requests| record(0, 1, 20, requests)).into();
    for (at, record) in records.iter_mut().enumerate() {
        (record.scenario.index, record.scenario.repeat) = (at, u32::try_from(at).unwrap() + 1);
        record.scenario.id = format!("{}-{}", record.scenario.point_id(), at + 1);
        record.environment.order_seed = Some(7);
    }
    let text = render(&records);
    assert_has(&text, "| Order | shuffled with seed 7 |");
    assert_has(
        &text,
        "| 1 replica, 2 workers, 20 users | 3 of 3 | 40.6 | 40.0 | 42.0 | 4.9 | 100 | 100 | 100 |",
    );
    assert_has(
        &text,
        "Best throughput: 40.6 successful requests/s with 1 replica, 2 workers, 20 users (median of 3 valid rows).",
    );
}

#[test]
fn an_objective_has_a_section_and_a_failed_scenario_has_no_figures() {
    let mut failed = record(0, 1, 20, 0);
    failed.window = None;
    failed.whole_run = None;
    failed.objective.p95_ms = Some(500);
    failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"));
    let text = render(&[failed]);
    assert_has(
        &text,
        "## Objective: P95 < 500 ms, at most 1 % failed\n\n- 20 users on 2 workers: whether 1 replica meets the objective is unknown: no valid row (FAILED).",
    );
    assert_has(&text, "| 1 | 2 | 20 | FAILED | – | – | – | – | – | – | – | – |");
    assert_has(&text, "No scenario is valid: there is nothing to cite.");
}

#[test]
fn rows_with_the_same_reason_share_a_sentence() {
    let records = [0, 1].map(|index| {
        let mut failed = record(index, 1, [20, 40][index], 0);
        failed.window = None;
        failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes."));
        failed
    });
    let text = render(&records);
    assert_has(
        &text,
        "- 1 replica, 2 workers, 20 users; 1 replica, 2 workers, 40 users: the service crashes.\n",
    );
}

/// Columns of a line of a table. By CommonMark, a backslash escapes the character after it; for GitHub, a pipe is
/// escaped if a backslash is directly before it. Both must give the same.
fn columns(line: &str) -> usize {
    let mut pipes = 0_usize;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '|' => pipes += 1,
            _ => {}
        }
    }
    assert_eq!(pipes, line.matches('|').count() - line.matches("\\|").count(), "{line}");
    pipes.saturating_sub(1)
}

/// Names as hostile as they come: separators, escapes, other scripts, and very long ones.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[|\\\\\n\r<>`*_&#\\[\\]~\t\u{85}\u{2028} ]{0,40}",
        "[\u{5d0}-\u{5ea}\u{627}-\u{64a}\u{202a}-\u{202e}|]{1,40}",
        "[a|\\\\]{1}".prop_map(|part| part.repeat(10_000)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_table_keeps_its_columns_and_its_lines_with_any_names(
        names in prop::collection::vec(prop::collection::vec(name(), 3), 0..4),
    ) {
        let mut table = Table::new(["a", "b|c", "d"].map(Column::words).into());
        for row in &names {
            table.push([], row.iter().map(Cell::text).collect());
        }
        let facts = names.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        let blocks = vec![Block::Table(table), Block::KeyValues(facts)];
        let section = Section { id: "a", title: "A".into(), intro: None, blocks };
        let text = render_document(&of_one(section));
        let found: Vec<_> = text.split('\n').filter(|line| line.starts_with('|')).map(columns).collect();
        let expected: Vec<_> =
            std::iter::repeat_n(3, 2 + names.len()).chain(std::iter::repeat_n(2, 2 + names.len())).collect();
        prop_assert_eq!(found, expected);
        // Title, section title, and an empty line before each part.
        prop_assert_eq!(text.lines().count(), 5 + 2 * (2 + names.len()));
        let breaks = |c: char| c != '\n' && (c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
        prop_assert!(!text.contains(breaks), "a character breaks or reorders a line");
    }

    #[test]
    fn every_name_of_a_record_stays_on_its_line(names in prop::collection::vec(name(), 6)) {
        let mut record = record(0, 1, 20, 800);
        let environment = &mut record.environment;
        (environment.cluster, environment.target) = (names[0].clone(), names[1].clone());
        environment.images = [(names[2].clone(), names[3].clone())].into();
        record.run_id.clone_from(&names[4]);
        record.disturbed = Some(names[5].clone());
        let text = render(&[record.clone()]);
        let plain = {
            let mut plain = record;
            (plain.environment.cluster, plain.environment.target) = ("a".into(), "b".into());
            plain.environment.images = [("c".to_owned(), "d".to_owned())].into();
            (plain.run_id, plain.disturbed) = ("e".into(), Some("f".into()));
            render(&[plain])
        };
        let shape = |text: &str| -> Vec<_> {
            text.split('\n').map(|line| line.starts_with('|').then(|| columns(line))).collect()
        };
        prop_assert_eq!(shape(&text), shape(&plain));
    }

    #[test]
    fn a_sentence_stays_one_item_with_any_names(name in name()) {
        let blocks = vec![Block::Sentences { lead: None, items: vec![Sentence::general(name)] }];
        let section = Section { id: "a", title: "A".into(), intro: None, blocks };
        let text = render_document(&of_one(section));
        prop_assert_eq!(text.split('\n').filter(|line| !line.is_empty()).count(), 3);
    }
}

#[test]
fn an_attempt_that_was_measured_again_is_told_with_its_reasons() {
    let mut first = record(0, 1, 20, 700);
    first.disturbed = Some("the load was disturbed".into());
    let second = Record { attempt: 2, ..record(0, 1, 20, 800) };
    let text = render(&[first, second]);
    assert_has(&text, "## Other attempts\n\nA scenario that is VOID is measured once more.");
    assert_has(&text, "- 1 replica, 2 workers, 20 users, attempt 1: VOID: the load was disturbed.\n");
    assert_has(&text, "Best throughput: 40.0 successful requests/s");
}

#[test]
fn every_chart_has_a_file_of_its_own() {
    let document = Document::of(&JudgedRun::of(&[record(0, 1, 20, 1000), record(1, 2, 20, 2000)]));
    let charts = super::charts(&document);
    let names: Vec<_> = charts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["auto_summary_capacity.svg", "auto_summary_load.svg"]);
}
