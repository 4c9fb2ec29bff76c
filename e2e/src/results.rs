//! A run's folder, read back without the driver's own types: what it wrote, not what it meant.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The header that existing scripts read.
pub const HEADER: &str = "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status";

/// A window from which a worker's lateness, probed ten times a second, is more than a moment's, s.
const LONG_S: f64 = 9.0;

/// The one run folder below `results`.
///
/// # Panics
/// Where there is none, or more than one.
pub fn only_run(results: &Path) -> PathBuf {
    let folders = std::fs::read_dir(results).expect("there are results");
    let runs: Vec<PathBuf> =
        folders.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    assert_eq!(runs.len(), 1, "one run: {runs:?}");
    runs.into_iter().next().expect("there is one")
}

/// The records of a run.
///
/// # Panics
/// Where a line is no JSON.
pub fn records(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("results.jsonl")).expect("there are records");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// The rows of the CSV (closed model), split, without the header, which must be exact.
///
/// # Panics
/// Where the header is another.
pub fn rows(run: &Path) -> Vec<Vec<String>> {
    read(&run.join("auto_summary.csv"), HEADER)
}

/// The rows of the open model, whose CSV is there only with them.
///
/// # Panics
/// Where the header is another.
pub fn open_rows(run: &Path) -> Vec<Vec<String>> {
    let path = run.join("auto_summary_open.csv");
    if path.is_file() { read(&path, &HEADER.replace("Users", "Rate")) } else { Vec::new() }
}

fn read(path: &Path, header: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).expect("there is a CSV");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(header));
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Checks that a run has so many rows, of both models together, and that they are valid.
///
/// Three things are chance, and no fault of what is tested: a worker whose event loop was late while it had
/// hardly anything to do, or a percentile that came to no rest, which tell of the machine's other work; and
/// connections that kube-proxy has dealt out unevenly, as it may with few users. Such a row is accepted, and
/// said. Of four or more whose window is long enough, at least half must be valid: in a few seconds the loop
/// is probed forty times, and two busy moments of the machine make a P95.
///
/// # Panics
/// With the rows, where that is not so.
pub fn assert_all_valid(run: &Path, scenarios: usize) {
    let (rows, records) = ([rows(run), open_rows(run)].concat(), records(run));
    assert_eq!((rows.len(), records.len()), (scenarios, scenarios), "{rows:?}");
    let (mut long, mut by_chance) = (0, 0);
    for record in records {
        let reasons = &record["verdict"]["reasons"];
        let is_long = record["window"]["seconds"].as_f64().is_some_and(|seconds| seconds > LONG_S);
        long += usize::from(is_long);
        let why = match record["verdict"]["judgement"].as_str().expect("a judgement") {
            "VALID" => continue,
            "LOADGEN_LIMITED" if only_late(reasons) => "the machine had other work",
            "UNSTABLE" => "the machine came to no rest",
            "IMBALANCED" => "connections are dealt out by chance",
            other => panic!("{other}: {reasons}; {rows:?}"),
        };
        eprintln!("accepted, because {why}: {reasons}");
        by_chance += usize::from(is_long);
    }
    assert!(long < 4 || 2 * by_chance <= long, "{by_chance} of {long} rows by chance: {rows:?}");
}

/// Whether the only reasons are event loops that were late.
fn only_late(reasons: &Value) -> bool {
    let mut reasons = reasons.as_array().into_iter().flatten().filter_map(Value::as_str);
    reasons.all(|reason| {
        reason.contains("event loop late") && !reason.contains("CPU") && !reason.contains("throttled")
    })
}

/// Checks that Locust's total of a whole run equals the replicas' own counts, endpoint by endpoint and
/// failure by failure; the workers must not have been starved, or the comparison says nothing.
///
/// # Panics
/// Where they differ.
pub fn assert_exact(record: &Value) {
    let id = &record["scenario"]["id"];
    let busiest =
        record["workers"].as_array().expect("workers").iter().filter_map(|w| w["cpu_percent"].as_f64());
    let busiest = busiest.fold(0.0, f64::max);
    assert!(busiest < 70.0, "{id}: a worker used {busiest} % CPU");
    let (mut own, mut own_failed) = (0, 0);
    for replica in record["replicas"].as_array().expect("replicas") {
        for (key, count) in replica["requests"].as_object().expect("each replica was asked") {
            own += count.as_u64().expect("a count");
            own_failed += if key.ends_with(" 200") { 0 } else { count.as_u64().expect("a count") };
        }
    }
    let total = &record["whole_run"]["aggregated"];
    assert_eq!(total["requests"].as_u64(), Some(own), "{id}: Locust's total and the replicas' own count");
    assert_eq!(total["failures"].as_u64(), Some(own_failed), "{id}: failures");
    assert!(own > 0, "{id}: nothing was measured");
    let window = &record["window"];
    let (requests, seconds) = (window["aggregated"]["requests"].as_u64(), window["seconds"].as_f64());
    assert!(requests.expect("requests") < own, "{id}: the window is a part of the run");
    assert!(seconds.expect("seconds") > 0.0, "{id}: the window has a length");
}
