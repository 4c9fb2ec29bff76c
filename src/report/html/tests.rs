use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use records::{Record, Replica, Sample, Unmeasured, UnmeasuredKind};

use crate::judge::{JudgedRun, Row};
use crate::record::tests::record;
use crate::report::document::{Block, Document, cards};
use crate::report::tests::{hostile, named, searched};

fn render(records: &[Record]) -> String {
    let run = JudgedRun::of(records);
    render_document(&Document::of(&run), &run)
}

fn render_document(document: &Document, run: &JudgedRun<'_>) -> String {
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    String::from_utf8(super::render(document, cards(&rows))).unwrap()
}

/// Twenty scenarios of both models with every verdict.
fn recorded() -> Vec<Record> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/results-v2.jsonl");
    records::read(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A row whose card has everything.
fn complete(index: usize, users: u32) -> Record {
    let mut record = record(index, 2, users, 800);
    let sample = record.samples[0];
    record.samples =
        (1..=20_u32).map(|at| Sample { at: f64::from(at), requests: u64::from(at) * 40, ..sample }).collect();
    record.timings_ms.extend([("ramp".to_owned(), 2000), ("warmup".to_owned(), 1000)]);
    let counts = || Some([("/predict 200".to_owned(), 400)].into());
    record.replicas =
        ["a", "b"].map(|pod| Replica { pod: pod.into(), requests: counts(), ..Replica::default() }).into();
    record
}

fn runs() -> Vec<Vec<Record>> {
    let mut failed = record(0, 1, 20, 0);
    failed.window = None;
    failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"));
    let search = searched(Some(76.0), &[(1, 8), (1, 36), (1, 40), (1, 38), (1, 42), (2, 76)]);
    vec![
        recorded(),
        vec![],
        vec![failed],
        vec![complete(0, 20)],
        vec![complete(0, 20), complete(1, 40)],
        search,
    ]
}

/// The tags with the names of their attributes; those of void elements, too. Text has no `<`, because it is escaped.
fn tags(html: &str) -> Vec<String> {
    let tags = html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag);
    let name_and_attributes = |tag: &str| {
        let outside_of_quotes: Vec<&str> = tag.split('"').step_by(2).collect();
        outside_of_quotes.join("\"")
    };
    tags.map(name_and_attributes).collect()
}

/// The values of an attribute.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    let begin = format!(" {attribute}=\"");
    html.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_element_that_is_opened_is_closed() {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    for records in runs() {
        let html = render(&records);
        let mut open: Vec<String> = Vec::new();
        for tag in tags(&html) {
            let name = tag.split([' ', '"']).next().unwrap_or_default().to_owned();
            match name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed)),
                None if VOID.contains(&name.as_str()) => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, [""; 0]);
    }
}

#[test]
fn nothing_is_outside_of_the_file_and_nothing_runs() {
    for records in runs() {
        let html = render(&records);
        assert!(!html.contains("<script") && !html.contains("<link") && !html.contains("<img"));
        assert!(!html.contains("url(") && !html.contains("@import"));
        assert!(
            values(&html, "href").iter().all(|address| address.starts_with('#')),
            "{:?}",
            values(&html, "href")
        );
        assert!(tags(&html).iter().all(|tag| !tag.contains(" on")), "a handler");
        assert!(!html.contains(" style=\""), "style sheets may be blocked: attributes say it");
    }
}

#[test]
fn every_link_leads_to_a_place_that_there_is_once() {
    for records in runs() {
        let html = render(&records);
        let ids = values(&html, "id");
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "an id is there twice");
        for address in values(&html, "href") {
            assert!(unique.contains(&address[1..]), "{address} leads nowhere");
        }
        for named in values(&html, "aria-labelledby").iter().flat_map(|ids| ids.split(' ')) {
            assert!(unique.contains(named), "{named} is not there");
        }
    }
}

#[test]
fn every_drawing_has_a_title_and_a_description_and_every_chart_its_numbers() {
    let html = render(&[complete(0, 20), complete(1, 40)]);
    let count = |part: &str| html.matches(part).count();
    // Capacity, load curves, the map, and two in each card.
    assert_eq!(count("<svg "), 7);
    assert_eq!((count("<desc "), count("<figure>")), (7, 7));
    assert_eq!(count("<summary>Numbers: "), 6);
    // A link inside of a drawing is named by its title; outside, by its text.
    for drawing in html.split("<svg ").skip(1).filter_map(|rest| rest.split("</svg>").next()) {
        assert!(
            drawing.split("<a ").skip(1).all(|link| link.split_once('>').unwrap().1.starts_with("<title>"))
        );
    }
}

#[test]
fn every_claim_links_to_its_row() {
    for records in runs() {
        let run = JudgedRun::of(&records);
        let document = Document::of(&run);
        let html = render_document(&document, &run);
        let number = |id: &String| 1 + document.scenarios.iter().position(|(own, _)| own == id).unwrap();
        let blocks = document.sections.iter().flat_map(|section| &section.blocks);
        // The lead of a list is followed by the links of its items.
        let is_lead = |block: &Block, text: &str| matches!(block, Block::Sentences { lead: Some(lead), .. } if lead.text == text);
        for (block, sentence) in
            blocks.flat_map(|block| block.sentences().into_iter().map(move |one| (block, one)))
        {
            if is_lead(block, &sentence.text) {
                continue;
            }
            for id in sentence.rows.iter().take(8) {
                let text = maud::html! { (crate::report::visible::visible(sentence.text.trim_start_matches("FAILED"))) };
                let link = format!("href=\"#row-{}\"", number(id));
                let follows = html.split(&text.into_string()).skip(1).any(|rest| {
                    let end =
                        rest.find("</t").into_iter().chain(rest.find("</li")).chain(rest.find("</p")).min();
                    rest[..end.unwrap_or(rest.len())].contains(&link)
                });
                assert!(follows, "{} does not link to {link}", sentence.text);
            }
        }
    }
}

#[test]
fn the_answer_comes_first_and_what_few_look_for_last() {
    let html = render(&recorded());
    let order = [
        "answer",
        "verdicts",
        "capacity",
        "load-curves",
        "closed-model",
        "cards",
        "load-generator",
        "phases",
        "run",
    ];
    let places =
        order.map(|id| html.find(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("{id}")));
    assert!(places.is_sorted(), "{places:?}");
    let answer = &html[places[0]..places[1]];
    for fact in ["Question", "Answer", "Gate", "Verdicts", "Worst row", "Next", "Measured"] {
        assert!(answer.contains(&format!(">{fact}<")), "{fact}: {answer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_name_becomes_an_element_or_an_attribute(names in prop::collection::vec(hostile(), 10)) {
        let plain: Vec<String> = (0..10).map(|at| format!("plain{at}")).collect();
        prop_assert_eq!(tags(&render(&named(&names))), tags(&render(&named(&plain))));
    }

    #[test]
    fn every_character_of_the_page_is_seen(names in prop::collection::vec(hostile(), 10)) {
        let html = render(&named(&names));
        let is_unseen = |c: char| (c.is_control() && c != '\n') || ('\u{2028}'..='\u{202e}').contains(&c);
        // The style sheets have lines; nothing else has.
        let body = html.split("<body>").nth(1).unwrap();
        prop_assert!(!body.contains(is_unseen) && !body.contains('\n'));
    }
}
