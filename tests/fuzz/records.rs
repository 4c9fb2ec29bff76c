//! The lines of `results.jsonl`, and what is made of them.

use locust_matrix::judge::JudgedRun;
use locust_matrix::report;
use proptest::prelude::any;
use proptest::sample::Index;

use crate::damage::damaged;
use crate::runner::fuzz;

const LINES: &str = include_str!("../data/results-v2.jsonl");

/// Single lines of both versions, and a whole file.
fn corpus() -> Vec<String> {
    let records = records::read(LINES).unwrap();
    let mut corpus: Vec<String> =
        records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    // Long lines have most of their bytes in histograms, which hides the rest.
    corpus.sort_by_key(String::len);
    corpus.truncate(8);
    let oldest = LINES.lines().min_by_key(|line| line.len()).unwrap();
    corpus.push(oldest.to_owned());
    corpus.push(format!("{}\n{}\n", corpus[0], corpus[1]));
    corpus
}

/// Whatever can be read can be judged, reported and written.
fn check(text: &str) {
    let complete = records::read_complete_lines(text);
    let all = match records::read(text) {
        Ok(all) => all,
        Err(error) => {
            let lines = text.lines().count();
            assert!(error.line >= 1 && error.line <= lines && error.problem.len() > 10, "{error}");
            complete.clone()
        }
    };
    assert_eq!(all, complete, "complete lines are read in the same way");
    let written: String = all.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    assert_eq!(records::read(&written).unwrap(), all);
    let folder = tempfile::tempdir().unwrap();
    let _ = report::write(&JudgedRun::of(&all), folder.path());
}

#[test]
fn fuzz_records_are_read_judged_and_reported() {
    fuzz(120, &damaged(corpus(), 4), |text| check(&text));
}

#[test]
fn fuzz_a_torn_file_keeps_every_whole_line() {
    let lines: Vec<&str> = LINES.lines().collect();
    let whole = format!("{}\n{}\n{}\n", lines[0], lines[1], lines[2]);
    fuzz(40, &any::<Index>(), |at| {
        let mut at = at.index(whole.len() + 1);
        while !whole.is_char_boundary(at) {
            at -= 1;
        }
        let torn = &whole[..at];
        // A line without its end of line is whole, too, if nothing else is missing.
        let ended = torn.matches('\n').count();
        let read = records::read_complete_lines(torn).len();
        assert!(read == ended || (read == ended + 1 && whole[at..].starts_with('\n')), "{read} of {ended}");
    });
}
