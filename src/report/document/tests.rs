use std::path::Path;

use records::Record;

use super::*;
use crate::record::tests::record;

/// Twenty scenarios of both models with every verdict.
fn recorded() -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/results-v2.jsonl");
    records::read(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Valid rows that have findings of every kind.
fn valid() -> Vec<Record> {
    let mut records = vec![
        record(0, 1, 20, 1000),
        record(1, 2, 20, 2000),
        record(2, 4, 20, 2600),
        record(3, 8, 20, 2600),
        record(4, 1, 40, 1000),
    ];
    let slow = &mut records[4].window.as_mut().unwrap().endpoints[0];
    slow.histogram = ::records::Histogram::of_ms([(200, 1000)]);
    for record in &mut records {
        record.objective.p95_ms = Some(150);
    }
    let mut last = records[0].clone();
    (last.scenario.id, last.scenario.index, last.scenario.repeat) = ("closed-r1-w2-u20-2".into(), 5, 2);
    last.scenario.drift = true;
    records.push(last);
    records
}

fn documents() -> Vec<(Vec<Record>, Document)> {
    [recorded(), valid(), Vec::new()]
        .into_iter()
        .map(|records| (records.clone(), Document::of(&JudgedRun::of(&records))))
        .collect()
}

fn blocks(document: &Document) -> impl Iterator<Item = (&'static str, &Block)> {
    document.sections.iter().flat_map(|section| section.blocks.iter().map(|block| (section.id, block)))
}

fn tables(document: &Document) -> Vec<&Table> {
    let shown = blocks(document).filter_map(|(_, block)| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    shown.chain(document.datasets.iter().map(|dataset| &dataset.table)).collect()
}

#[test]
fn every_cited_row_exists() {
    for (records, document) in documents() {
        let judged = JudgedRun::of(&records);
        let of_sentences = blocks(&document).flat_map(|(_, block)| block.sentences()).flat_map(|s| &s.rows);
        let of_tables = tables(&document).into_iter().flat_map(|table| &table.rows);
        for id in of_sentences.chain(of_tables.flat_map(|row| &row.scenarios)) {
            assert!(judged.row(id).is_some(), "{id} is no scenario");
        }
    }
}

#[test]
fn every_finding_cites_rows_and_all_of_them_are_valid() {
    let mut kinds = Vec::new();
    for (records, document) in documents() {
        let judged = JudgedRun::of(&records);
        for (section, block) in blocks(&document) {
            if !["key-findings", "objective", "performance", "latency"].contains(&section) {
                continue;
            }
            let Block::Sentences { lead, items } = block else { continue };
            kinds.push(section);
            for sentence in lead.iter().chain(items) {
                assert!(!sentence.rows.is_empty(), "{sentence:?} cites nothing");
                for id in &sentence.rows {
                    // Rows in which the service fails requests miss the objective.
                    let may_cite = section == "objective" || judged.row(id).unwrap().is_valid();
                    assert!(may_cite, "{sentence:?} cites {id}");
                }
            }
        }
    }
    for kind in ["key-findings", "objective", "performance", "latency"] {
        assert!(kinds.contains(&kind), "no findings of {kind} were tested");
    }
}

#[test]
fn every_listed_sentence_cites_a_row_and_none_is_said_twice() {
    for (_, document) in documents() {
        let mut said: Vec<&str> = Vec::new();
        for (section, block) in blocks(&document) {
            if let Block::Sentences { lead, items } = block {
                assert!(!items.is_empty(), "{section} has an empty list");
                for sentence in lead.iter().chain(items) {
                    assert!(!sentence.rows.is_empty(), "{section}: {sentence:?} cites nothing");
                    assert!(!said.contains(&sentence.text.as_str()), "{section}: {sentence:?} is repeated");
                    said.push(&sentence.text);
                }
            }
        }
    }
}

#[test]
fn every_row_of_a_table_has_a_cell_per_column_and_a_scenario() {
    for (_, document) in documents() {
        for table in tables(&document) {
            for row in &table.rows {
                assert_eq!(row.cells.len(), table.columns.len(), "{row:?}");
                assert!(!row.scenarios.is_empty(), "{row:?}");
            }
        }
    }
}

#[test]
fn section_ids_are_unique() {
    for (_, document) in documents() {
        let mut ids: Vec<_> = document.sections.iter().map(|section| section.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{ids:?}");
    }
}

#[test]
fn sections_whose_columns_need_an_explanation_have_one() {
    let records = recorded();
    let document = Document::of(&JudgedRun::of(&records));
    for id in ["verdicts", "load-generator"] {
        let section = document.sections.iter().find(|section| section.id == id).unwrap();
        assert!(section.intro.is_some(), "{id}");
    }
}

#[test]
fn every_point_of_a_measured_capacity_lies_in_its_band() {
    let mut points = 0;
    for (_, document) in documents() {
        let charts = blocks(&document).filter_map(|(_, block)| match block {
            Block::Chart(chart) if chart.id == "capacity" => Some(chart),
            _ => None,
        });
        for mark in charts.flat_map(|chart| &chart.panels[0].series).flat_map(|series| &series.marks) {
            if mark.scenario.is_some() {
                let (low, high) = mark.band.expect("a capacity has a band");
                assert!((low..=high).contains(&mark.y), "{mark:?}");
                points += 1;
            }
        }
    }
    assert!(points > 0);
}

#[test]
fn a_gate_that_selects_no_row_is_told_as_what_it_is() {
    let mut records = vec![record(0, 1, 20, 1000)];
    records[0].objective.p95_ms = Some(150);
    records[0].environment.question.gates =
        vec![records::Gate { replicas: Some(8), ..records::Gate::default() }];
    let document = Document::of(&JudgedRun::of(&records));
    let answer = document.sections.iter().find(|section| section.id == "answer").unwrap();
    let text = format!("{answer:?}");
    assert!(text.contains("no row is selected by --gate") && text.contains("Correct --gate"), "{text}");
    assert!(!text.contains("there is no objective") && !text.contains("every gated point"), "{text}");
}

#[test]
fn the_next_step_is_about_the_rows_with_the_worst_verdict() {
    let mut records = vec![record(0, 1, 20, 1000), record(1, 2, 20, 2000), record(2, 4, 20, 2600)];
    records[1].disturbed = Some("a replica is gone".into());
    let document = Document::of(&JudgedRun::of(&records));
    let answer = document.sections.iter().find(|section| section.id == "answer").unwrap();
    let text = format!("{answer:?}");
    assert!(text.contains("For the rows that are VOID: "), "{text}");
    let step = text.split("For the rows that are VOID").nth(1).unwrap();
    let cited = step.split(']').next().unwrap();
    assert!(cited.contains(&records[1].scenario.id) && !cited.contains(&records[0].scenario.id), "{cited}");
}

/// The chart with this id, and what its section says.
fn chart_of(document: &Document, id: &str) -> (String, chart::Chart) {
    let section =
        document.sections.iter().find(|section| section.blocks.iter().any(|block| is_chart(block, id)));
    let section = section.unwrap();
    let chart = section.blocks.iter().find_map(|block| match block {
        Block::Chart(chart) if chart.id == id => Some((**chart).clone()),
        _ => None,
    });
    let said = section.blocks.iter().flat_map(Block::sentences).map(|sentence| sentence.text.clone());
    (said.collect::<Vec<_>>().join(" "), chart.unwrap())
}

fn is_chart(block: &Block, id: &str) -> bool {
    matches!(block, Block::Chart(chart) if chart.id == id)
}

#[test]
fn a_load_at_which_the_service_fails_bounds_its_capacity() {
    let mut records = [record(0, 1, 20, 800), record(1, 1, 40, 800)];
    for record in &mut records {
        record.objective.p95_ms = Some(500);
    }
    records[1].window.as_mut().unwrap().endpoints[0].failures = 40;
    let document = Document::of(&JudgedRun::of(&records));
    let (_, chart) = chart_of(&document, "capacity");
    let mark = &chart.panels[0].series.iter().find(|series| series.name == "measured").unwrap().marks[0];
    assert_eq!(mark.band, Some((20.0, 40.0)), "{}", mark.title);
    assert!(!chart.caption.contains("An arrow"), "{}", chart.caption);
    let objective = document.sections.iter().find(|section| section.id == "objective").unwrap();
    let said: Vec<_> =
        objective.blocks.iter().flat_map(Block::sentences).map(|one| one.text.as_str()).collect();
    assert!(
        said.iter()
            .any(|text| text.starts_with("40 users on 2 workers: 1 replica misses the objective (ERRORS)")),
        "{said:?}"
    );
}

#[test]
fn the_knee_is_where_clearly_more_load_brings_little() {
    let said = |users: &[(u32, u64)]| {
        let records: Vec<_> = users
            .iter()
            .enumerate()
            .map(|(at, (users, requests))| record(at, 1, *users, *requests))
            .collect();
        chart_of(&Document::of(&JudgedRun::of(&records)), "load").0
    };
    let in_proportion = said(&[(400, 4000), (430, 4300), (460, 4600)]);
    assert!(!in_proportion.contains("The knee"), "{in_proportion}");
    let level = said(&[(10, 400), (20, 800), (22, 810), (40, 820)]);
    assert!(level.contains("20 users at 40.5") || level.contains("20 users at 40.0"), "{level}");
    assert!(level.contains("40 users give 41.0"), "{level}");
}
