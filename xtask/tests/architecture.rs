//! The paths and names in the guides exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders with source code.
const SOURCES: [&str; 8] =
    ["src", "tests", "records/src", "xtask/src", "embedded/src", "fake-inference/src", "e2e", "manifests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn collect(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether a span of code is a command, of which nothing is checked here.
fn is_command(span: &str) -> bool {
    ["cargo ", "kubectl ", "locust-matrix", "--"].iter().any(|program| span.starts_with(program))
}

#[test]
fn every_path_and_name_exists() {
    check("docs/architecture.md", 150);
}

/// The table of `docs/disturbances.md` names the test of each outcome.
#[test]
fn every_test_of_a_disturbance_exists() {
    check("docs/disturbances.md", 15);
}

/// Checks each name in the document that is set as code. There must be more than `fewest` of them.
#[track_caller]
fn check(document: &str, fewest: usize) {
    let document = fs::read_to_string(root().join(document)).unwrap();
    let mut code = String::new();
    for folder in SOURCES {
        collect(&root().join(folder), &mut code);
    }
    let words: HashSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let spans: Vec<&str> = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    assert!(spans.len() > fewest, "the document has its names set as code: {}", spans.len());
    let unknown: Vec<&&str> = spans
        .iter()
        .filter(|span| {
            let is_path = span.contains('/') || **span == "flake.nix";
            let is_output = **span == "results.jsonl";
            let exists = if is_output {
                true
            } else if is_path {
                root().join(span).exists()
            } else {
                span.split([':', '.']).filter(|name| !name.is_empty()).all(|name| words.contains(name))
            };
            !is_command(span) && !exists
        })
        .collect();
    assert_eq!(unknown, [&""; 0]);
}
