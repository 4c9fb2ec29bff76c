//! Names as hostile as they come, through every renderer; and runs of every size.

use ::records::{LeftOut, Objective, Record, Replica, Unmeasured, UnmeasuredKind, WorkerHealth};
use proptest::prelude::*;

use crate::judge::JudgedRun;
use crate::record::tests::record;
use crate::report;
use crate::report::tests::searched;

/// Elements, attributes, formulas, pipes, line ends, marks that reorder, other scripts, and very long names.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[|\\\\\n\r<>`*_&#\\[\\]~\t\u{85}\u{2028}\"' ]{0,40}",
        "[\u{5d0}-\u{5ea}\u{627}-\u{64a}\u{200e}\u{200f}\u{61c}\u{202a}-\u{202e}\u{2066}-\u{2069}|]{1,40}",
        Just("<script>alert(1)</script>".to_owned()),
        Just("</title></svg><svg onload=\"alert(1)\"><desc>".to_owned()),
        Just("--><!-- ]]> <![CDATA[ </style> ".to_owned()),
        Just("\" onmouseover=\"alert(1)\" x=\"' href=javascript:alert(1)".to_owned()),
        Just("=cmd|' /C calc'!A0".to_owned()),
        Just("@SUM(1+1)*cmd|' /C calc'!A0\t".to_owned()),
        "[a<|\u{202e}]{1}".prop_map(|part| part.repeat(10_000)),
    ]
}

/// Two rows with these names wherever a record can have a name.
pub(crate) fn named(names: &[String]) -> Vec<Record> {
    let mut valid = record(0, 1, 20, 800);
    let environment = &mut valid.environment;
    (environment.cluster, environment.target) = (names[0].clone(), names[1].clone());
    environment.images = [(names[2].clone(), names[3].clone())].into();
    environment.generator.clone_from(&names[4]);
    environment.primary.clone_from(&names[5]);
    if let Some(window) = &mut valid.window {
        (window.endpoints[0].method, window.endpoints[0].name) = (String::new(), names[5].clone());
    }
    valid.run_id.clone_from(&names[6]);
    valid.scenario.id.clone_from(&names[7]);
    valid.scenario.id.insert(0, 'a');
    let goal = Objective { p95_ms: Some(500), ..Objective::default() };
    valid.objective.endpoints = [(format!("GET {}", names[4]), goal)].into();
    let counts = Some([(format!("{} 200", names[8]), 800)].into());
    valid.replicas = vec![Replica { pod: names[8].clone(), requests: counts, ..Replica::default() }];
    valid.workers = vec![WorkerHealth {
        id: names[9].clone(),
        cpu_percent: 20.0,
        memory_bytes: 60 << 20,
        opening: None,
        closing: None,
    }];
    let mut void = valid.clone();
    (void.scenario.index, void.scenario.users) = (1, 40);
    void.scenario.id.clone_from(&names[7]);
    void.scenario.id.insert(0, 'b');
    void.disturbed = Some(names[9].clone());
    void.errors = vec![(names[8].clone(), 3)];
    void.exceptions = vec![(names[4].clone(), 2)];
    void.left_out = vec![LeftOut::Samples];
    vec![valid, void]
}

/// The same rows as probes of a search, whose answer has files and sentences of its own.
fn named_probes(names: &[String]) -> Vec<Record> {
    let search = searched(None, &[(1, 8)])[0].environment.question.search.clone();
    let mut probes = named(names);
    for probe in &mut probes {
        probe.environment.question.search.clone_from(&search);
    }
    probes
}

/// Whether each ampersand begins a reference, as XML wants it.
fn refers_only(text: &str) -> bool {
    text.split('&').skip(1).all(|after| {
        ["amp;", "lt;", "gt;", "quot;", "apos;", "#"].iter().any(|reference| after.starts_with(reference))
    })
}

/// All files of a report, with their bytes.
fn files(records: &[Record]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let rendered = report::render(&JudgedRun::of(records), &mut |name, bytes| {
        files.push((name, bytes));
        Ok(())
    });
    rendered.unwrap();
    files
}

fn failed(index: usize) -> Record {
    let mut failed = record(index, 1, u32::try_from(20 * (index + 1)).unwrap(), 0);
    (failed.window, failed.whole_run) = (None, None);
    failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"));
    failed
}

#[test]
fn empty_one_row_all_failed_and_many_rows_are_written_in_every_format() {
    let many: Vec<Record> = (0..1000)
        .map(|at| record(at, 1 + u32::try_from(at % 8).unwrap(), 20 + u32::try_from(at).unwrap(), 800))
        .collect();
    for (records, rows) in
        [(vec![], 0), (vec![record(0, 1, 20, 800)], 1), ((0..5).map(failed).collect(), 5), (many, 1000)]
    {
        let files = files(&records);
        let text = |name: &str| {
            let file = files.iter().find(|(own, _)| own == name);
            String::from_utf8(file.unwrap_or_else(|| panic!("{name} is missing")).1.clone()).unwrap()
        };
        assert_eq!(text("auto_summary.csv").lines().count(), 1 + rows);
        assert_eq!(text("report.html").matches("<article ").count(), rows);
        assert_eq!(text("junit.xml").matches("<testcase ").count(), rows);
        assert!(serde_json::from_str::<serde_json::Value>(&text("load-performance.json")).is_ok());
        assert!(text("metrics.txt").ends_with("# EOF\n"));
        assert_eq!(text("metrics.txt").matches("locust_matrix_valid{").count(), rows);
        assert!(text("auto_summary.md").starts_with("# Load test summary\n"));
        assert!(text("summary.md").contains(&format!("{rows} scenarios recorded")));
        for (name, bytes) in files.iter().filter(|(name, _)| name.rsplit('.').next() == Some("svg")) {
            assert!(bytes.starts_with(b"<svg ") && bytes.ends_with(b"</svg>"), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_file_has_the_same_shape_with_any_names(
        names in prop::collection::vec(hostile(), 10), is_search in any::<bool>(),
    ) {
        let plain: Vec<String> = (0..10).map(|at| format!("plain{at}")).collect();
        let rows = if is_search { named_probes } else { named };
        let (hostile, plain) = (files(&rows(&names)), files(&rows(&plain)));
        let file_names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        prop_assert_eq!(file_names(&hostile), file_names(&plain));
        prop_assert_eq!(hostile.iter().any(|(name, _)| name == "capacity.json"), is_search);
        for ((name, hostile), (_, plain)) in hostile.iter().zip(&plain) {
            let (hostile, plain) = (std::str::from_utf8(hostile).unwrap(), std::str::from_utf8(plain).unwrap());
            let extension = name.rsplit('.').next().unwrap_or_default();
            match extension {
                "json" => prop_assert!(serde_json::from_str::<serde_json::Value>(hostile).is_ok(), "{name}"),
                "svg" | "xml" | "html" => {
                    prop_assert_eq!(hostile.matches('<').count(), plain.matches('<').count(), "{}", name);
                    prop_assert!(refers_only(hostile), "{name} has an ampersand that refers to nothing");
                    let unseen = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
                    prop_assert!(!hostile.contains(unseen), "{name} has a character that XML forbids");
                }
                _ => prop_assert_eq!(hostile.lines().count(), plain.lines().count(), "{}", name),
            }
        }
    }
}
