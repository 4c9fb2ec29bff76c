use records::{Histogram, Mode, Record};

use super::*;
use crate::judge::tests::alone;
use crate::judge::{Row, points};
use crate::record::tests::record;
use crate::report::document::objective::outcomes;

/// What the points of these records give.
fn of<T>(records: &[Record], find: impl Fn(&[Point<'_, '_>]) -> T) -> T {
    let judged = alone(records);
    let rows: Vec<_> = judged.iter().map(Row::of).collect();
    find(&points(&rows))
}

fn texts(section: &Section) -> Vec<String> {
    section.blocks.iter().flat_map(Block::sentences).map(|sentence| sentence.text.clone()).collect()
}

/// Records with one response time each, ms, and an objective of 500 ms.
fn with_objective(mut records: Vec<Record>, times: &[u64]) -> Vec<Record> {
    for (record, ms) in records.iter_mut().zip(times) {
        record.objective.p95_ms = Some(500);
        let counts = &mut record.window.as_mut().unwrap().endpoints[0];
        counts.histogram = Histogram::of_ms([(*ms, counts.requests)]);
        counts.succeeded = counts.histogram.clone();
        for interval in &mut record.intervals {
            interval.primary = Histogram::of_ms([(*ms, interval.requests)]);
            interval.succeeded = Some(interval.primary.clone());
        }
    }
    records
}

#[test]
fn an_objective_names_the_fewest_replicas_that_keep_to_it() {
    let records = vec![record(0, 1, 20, 800), record(1, 2, 20, 1600), record(2, 4, 20, 1700)];
    let found = of(&with_objective(records.clone(), &[600, 400, 300]), outcomes);
    assert_eq!(found[0].text, "20 users on 2 workers: 2 replicas meet the objective.");
    assert_eq!(found[0].rows, ["closed-r2-w2-u20-1"]);
    let found = of(&with_objective(records.clone(), &[400, 400, 300]), outcomes);
    assert_eq!(found[0].text, "20 users on 2 workers: 1 replica meets the objective.");
    let found = of(&with_objective(records.clone(), &[600, 600, 600]), outcomes);
    assert_eq!(
        found[0].text,
        "20 users on 2 workers: none is known to be enough (1 replica misses the objective; 2 replicas miss the objective; 4 replicas miss the objective)."
    );
    assert_eq!(found[0].rows.len(), 3);
    let found = of(&with_objective(records[..1].to_vec(), &[600]), outcomes);
    assert_eq!(found[0].text, "20 users on 2 workers: 1 replica misses the objective.");
}

#[test]
fn loads_with_the_same_outcome_share_a_sentence() {
    let records = vec![record(0, 1, 20, 800), record(1, 1, 40, 800)];
    let found = of(&with_objective(records, &[400, 400]), outcomes);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].text, "20 users on 2 workers; 40 users on 2 workers: 1 replica meets the objective.");
    assert_eq!(found[0].rows.len(), 2);
}

#[test]
fn the_fewest_replicas_come_first_and_loads_without_enough_last() {
    let records = vec![record(0, 1, 80, 800), record(1, 2, 20, 800), record(2, 1, 40, 800)];
    let found = of(&with_objective(records, &[600, 400, 400]), outcomes);
    let said: Vec<&str> = found.iter().map(|sentence| sentence.text.as_str()).collect();
    assert_eq!(
        said,
        [
            "40 users on 2 workers: 1 replica meets the objective.",
            "20 users on 2 workers: 2 replicas meet the objective.",
            "80 users on 2 workers: 1 replica misses the objective.",
        ]
    );
}

#[test]
fn repeats_keep_to_an_objective_only_together() {
    let mut records = vec![record(0, 1, 20, 800), record(1, 1, 20, 800)];
    records[1].scenario.repeat = 2;
    let found = of(&with_objective(records.clone(), &[400, 400]), outcomes);
    assert_eq!(found[0].text, "20 users on 2 workers: 1 replica meets the objective over 2 valid rows.");
    // Two repeats so far apart have an interval that spans the goal.
    let found = of(&with_objective(records, &[400, 600]), outcomes);
    assert!(
        found[0].text.contains("whether 1 replica meets the objective is unknown over 2 valid rows"),
        "{found:?}"
    );
}

#[test]
fn a_rate_is_not_compared_with_users() {
    let mut open = record(1, 2, 20, 1600);
    (open.scenario.mode, open.scenario.rate) = (Mode::Open, Some(20.0));
    let records = [record(0, 1, 20, 800), open];
    assert_eq!(texts(&of(&records, performance)), ["No two valid scenarios differ in replicas alone."]);
    let found = texts(&of(&records, key_findings));
    assert!(found[0].contains("40.0 successful requests/s with 1 replica"), "{found:?}");
    let open = "Best throughput in the open model: 80.0 successful requests/s with 2 replicas, 2 workers, 20 requests/s (open).";
    assert!(found.iter().any(|text| text == open), "{found:?}");
}

#[test]
fn averages_say_over_how_many_scenarios() {
    let records = [record(0, 1, 20, 800), record(1, 2, 20, 1600)];
    let average = |records: &[Record]| texts(&of(records, key_findings))[2].clone();
    assert!(
        average(&records).starts_with(
            "Averages over all 2 valid scenarios of the closed model: 60.0 successful requests/s"
        )
    );
    assert!(
        average(&records[..1]).starts_with("Averages over the only valid scenario of the closed model: 40.0")
    );
}

#[test]
fn steps_in_replicas_are_grouped_by_what_they_bring() {
    let throughputs = [(1, 1000), (2, 2000), (4, 2600), (8, 2600)];
    let records: Vec<_> = throughputs
        .into_iter()
        .enumerate()
        .map(|(index, (replicas, requests))| record(index, replicas, 20, requests))
        .collect();
    let found = of(&records, performance);
    let leads: Vec<_> = found
        .blocks
        .iter()
        .map(|block| (block.sentences()[0].text.clone(), block.sentences()[1].text.clone()))
        .collect();
    assert_eq!(leads.len(), 3, "{leads:?}");
    assert_eq!(
        leads[0].1,
        "20 users on 2 workers: 2 replicas instead of 1 give 100.0 instead of 50.0 requests/s (× 2.00 for × 2.00 replicas)."
    );
    for ((lead, step), (meaning, replicas)) in leads.iter().zip([
        ("scales", "2 replicas"),
        ("less than in proportion", "4 replicas"),
        ("no gain", "8 replicas"),
    ]) {
        assert!(lead.contains(meaning) && step.contains(replicas), "{lead} {step}");
    }
}

#[test]
fn more_users_on_full_replicas_only_wait() {
    // A point with other replicas is not compared.
    let points = vec![record(0, 2, 20, 800), record(1, 1, 30, 800), record(2, 2, 40, 800)];
    let records = with_objective(points, &[100, 100, 200]);
    assert_eq!(
        texts(&of(&records, latency))[1],
        "2 replicas, 2 workers: 40 users instead of 20 raise P95 from 100 to 200 ms, while throughput stays at 40.0 requests/s."
    );
}

#[test]
fn a_step_that_raises_throughput_or_a_free_service_is_no_reason_for_fewer_users() {
    for (requests, p95) in [(1600, 200), (400, 200), (800, 120)] {
        let points = vec![record(0, 2, 20, 800), record(1, 2, 40, requests)];
        let records = with_objective(points, &[100, p95]);
        let told = texts(&of(&records, latency));
        assert!(!told.iter().any(|text| text.contains("raise P95 from")), "{requests} in {p95} ms: {told:?}");
    }
}
