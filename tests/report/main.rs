//! The size of the reports, and what they need nothing of: scripts, style sheets, other files.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod browser;
mod matrix;

use locust_matrix::judge::JudgedRun;
use locust_matrix::report;
use matrix::{matrix, spoil};
use records::Record;

/// The matrix `full`.
fn full(samples: bool) -> Vec<Record> {
    let mut records = matrix(&[1, 2, 4, 8], &[4, 8], &[200, 400, 800], samples);
    spoil(&mut records);
    records
}

/// A matrix with rows of every kind, which a slow check of its page takes less time for.
fn small() -> Vec<Record> {
    let mut records = matrix(&[1, 2], &[4], &[200, 400, 800], true);
    spoil(&mut records);
    records
}

fn html(records: &[Record]) -> String {
    let folder = tempfile::tempdir().unwrap();
    report::write(&JudgedRun::of(records), folder.path()).unwrap();
    std::fs::read_to_string(folder.path().join("report.html")).unwrap()
}

#[test]
fn the_page_of_the_full_matrix_is_small() {
    let without = html(&full(false)).len();
    assert!((50_000..300_000).contains(&without), "{without} bytes without timelines");
    let with = html(&full(true)).len();
    assert!((without..1_000_000).contains(&with), "{with} bytes with timelines");
}

#[test]
fn every_chart_of_the_markdown_is_a_file_beside_it_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    report::write(&JudgedRun::of(&full(false)), folder.path()).unwrap();
    let text = std::fs::read_to_string(folder.path().join("auto_summary.md")).unwrap();
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("!["))
        .filter_map(|line| line.rsplit_once("]("))
        .map(|parts| parts.1.trim_end_matches(')'))
        .collect();
    assert_eq!(shown, ["auto_summary_capacity.svg", "auto_summary_load.svg"]);
    for name in shown {
        let svg = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{name}");
    }
}
