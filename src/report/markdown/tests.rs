use super::*;
use crate::record::tests::record;
use records::{Histogram, Mode, OpenCounts, Record, Unmeasured, UnmeasuredKind, WorkerHealth};

fn render(records: &[Record]) -> String {
    String::from_utf8(Markdown.render(&JudgedRun::of(records))).unwrap()
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
    open.open =
        Some(OpenCounts { rate: 50.0, due: 1001, started: 1000, late: 7, late_max_ms: 31.4, skipped: 0 });
    open.window.as_mut().unwrap().endpoints[0].from_send = Some(Histogram::of_ms([(90, 1000)]));
    open
}

#[test]
fn findings_cite_valid_rows_only() {
    let mut void = record(1, 2, 20, 2000);
    void.disturbed = Some("a replica is gone".into());
    let text = render(&[record(0, 1, 20, 800), void]);
    assert_has(&text, "Best throughput: 40.0 requests/s with 1 replica, 2 workers, 20 users.");
    assert_has(&text, "- 2 replicas, 2 workers, 20 users: VOID: a replica is gone. See why");
    assert_has(&text, "| 1 replica, 2 workers, 20 users | 1.20 | – | – | – | – |");
    assert_has(&text, "No two valid scenarios differ in replicas alone.");
    assert_has(&text, "| Scenarios | 2 recorded, 1 valid |");
}

#[test]
fn replicas_are_compared_where_nothing_else_differs() {
    let text = render(&[record(0, 1, 20, 800), record(1, 2, 20, 1600)]);
    assert_has(
        &text,
        "1 → 2 replicas gives 40.0 → 80.0 requests/s (× 2.00 for × 2.00 replicas); the service scales",
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
    counts.succeeded = Histogram::of_ms((301..=500).map(|ms| (ms, 1)));
    let text = render(&[spread]);
    // Ranks of the binomial distribution: the median of 400 lies between the 180th and the 221st.
    assert_has(
        &text,
        "| 1 replica, 2 workers, 20 users | 400 | 300 [280, 321] ≤ 324 | 460 [448, 472] ≤ 474 | 480 [471, 489] ≤ 490 | n/a (n<459) | n/a (n<4603) |",
    );
    // Fast errors are left out of the successful ones.
    assert_has(&text, "| 300 | 480 | n/a (n<459) | 200 | 400 | 490 | n/a (n<459) | 1200 |");
}

#[test]
fn the_models_have_tables_of_their_own() {
    let text = render(&[record(0, 1, 20, 800), open(1)]);
    let closed = text.split("## Scenarios: open model").next().unwrap();
    assert_has(closed, "| 1 | 2 | 20 | SUCCESS | 40.0 | 100 | 100 | 100 | 40.0 | 0.00 | 800 | 20.00 |");
    assert!(!closed.contains("| 50 |"), "{closed}");
    assert_has(
        &text,
        "| 1 | 2 | 50 | SUCCESS | 50.0 | 100 | 100 | 100 | 50.0 | 0.00 | 1000 | 20.00 | 500 | 1001 | 7 | 0 | 31 |",
    );
    assert_has(
        &text,
        "| 1 replica, 2 workers, 50 requests/s (open) | 100 | 100 | 100 | 1000 | 100 | 100 | 100 | 90.0 | 90.0 | 90.0 |",
    );
    assert!(!render(&[open(0)]).contains("closed model"));
}

#[test]
fn a_stall_shows_in_the_corrected_column_alone() {
    let mut stalls = record(0, 1, 10, 1810);
    let counts = &mut stalls.window.as_mut().unwrap().endpoints[0];
    counts.histogram = Histogram::of_ms([(50, 1800), (1000, 10)]);
    counts.succeeded = counts.histogram.clone();
    stalls.stopping_rule.as_mut().unwrap().think_s = 0.0;
    let text = render(&[stalls]);
    assert_has(&text, "| 50.0 | 50.0 | 50.0 | 1810 | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 | 500 | 900 |");
}

#[test]
fn the_worker_axis_is_told_for_what_it_is() {
    let mut more = record(1, 1, 20, 1200);
    more.scenario.workers = 4;
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
        "- 1 replica, 2 workers, 20 users: LOADGEN_LIMITED: with 4 workers, the same users get more",
    );
    assert_has(&text, "| 1 replica, 2 workers, 20 users | 61 | – | – | 60 |");
    assert_has(&text, "Best throughput: 60.0 requests/s with 1 replica, 4 workers, 20 users.");
}

#[test]
fn repeats_have_medians_and_spread() {
    let mut records: Vec<Record> = [800, 840, 812].map(|requests| record(0, 1, 20, requests)).into();
    for (at, record) in records.iter_mut().enumerate() {
        (record.scenario.index, record.scenario.repeat) = (at, u32::try_from(at).unwrap() + 1);
        record.environment.order_seed = Some(7);
    }
    let text = render(&records);
    assert_has(&text, "| Order | drawn by lot, seed 7 |");
    assert_has(
        &text,
        "| 1 replica, 2 workers, 20 users | 3 of 3 | 40.6 | 40.0 – 42.0 | 4.9 | 100 | 100 – 100 |",
    );
    assert_has(
        &text,
        "Best throughput: 40.6 requests/s with 1 replica, 2 workers, 20 users (median of 3 valid rows).",
    );
}

#[test]
fn an_objective_has_a_section_and_a_failed_run_no_figures() {
    let mut failed = record(0, 1, 20, 0);
    failed.window = None;
    failed.whole_run = None;
    failed.objective.p95_ms = Some(500);
    failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"));
    let text = render(&[failed]);
    assert_has(&text, "## Objective: P95 ≤ 500 ms\n\nNo scenario is valid");
    assert_has(&text, "| 1 | 2 | 20 | FAILED | – | – | – | – | – | – | – | – |");
    assert_has(&text, "No scenario is valid: there is nothing to cite.");
}
