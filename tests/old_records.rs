//! Records that an earlier version wrote give the same rows and verdicts as that version gave them.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

/// Twelve scenarios of both models from a cluster, and eight more of which each has one thing wrong.
#[test]
fn records_of_version_2_give_the_rows_and_verdicts_that_version_2_gave() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(data.join("results-v2.jsonl"), folder.path().join("results.jsonl")).unwrap();
    // Scenarios without figures are among them, so that the report ends as the run did.
    Command::cargo_bin("locust-matrix").unwrap().arg("report").arg(folder.path()).assert().code(5);
    for (written, expected) in
        [("auto_summary.csv", "results-v2.csv"), ("auto_summary_open.csv", "results-v2-open.csv")]
    {
        let written = fs::read_to_string(folder.path().join(written)).unwrap();
        assert_eq!(written, fs::read_to_string(data.join(expected)).unwrap());
    }
}

#[test]
fn a_format_that_is_too_old_or_too_new_is_refused_by_its_line() {
    for (version, words) in [(1, "line 1 has format 1, which is older than 2"), (99, "line 1 has format 99")]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("results.jsonl"), format!("{{\"version\":{version}}}\n")).unwrap();
        let ended = Command::cargo_bin("locust-matrix").unwrap().arg("report").arg(folder.path()).assert();
        let ended = ended.code(2);
        let said = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        assert!(said.contains(words), "{said}");
    }
}
