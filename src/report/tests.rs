//! The files for programs, of rows that are met, missed, unknown, failed, void and overloaded.

use ::records::{Arrivals, Mode, Question, Record, Search, Unmeasured, UnmeasuredKind};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;

use super::*;
use crate::record::tests::record;

/// A valid row of 100 ms with this objective.
fn row(index: usize, users: u32, most_ms: u32) -> Record {
    let mut record = record(index, 1, users, 800);
    record.objective.p95_ms = Some(most_ms);
    record
}

fn open(index: usize, rate: f64, most_ms: u32) -> Record {
    let mut open = row(index, 100, most_ms);
    (open.scenario.mode, open.scenario.rate) = (Mode::Open, Some(rate));
    open.scenario.id = format!("open-r1-w2-q{rate}-1");
    open.stopping_rule.as_mut().unwrap().users = None;
    open
}

/// Met, missed, unknown, failed, void, and overloaded.
fn every_kind() -> Vec<Record> {
    let mut failed = row(3, 60, 150);
    failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "no pod <is> \"ready\" & none comes"));
    failed.window = None;
    let mut void = row(4, 80, 150);
    (void.attempt, void.disturbed) = (2, Some("a pod is gone".into()));
    let mut overloaded = open(5, 60.0, 150);
    for interval in &mut overloaded.intervals {
        interval.arrivals = Some(Arrivals { due: 2 * interval.requests, finished: interval.requests });
    }
    vec![row(0, 20, 150), row(1, 40, 50), open(2, 40.0, 150), failed, void, overloaded]
}

fn junit(records: &[Record]) -> Report {
    let text = String::from_utf8(junit::render(&JudgedRun::of(records))).unwrap();
    Report::deserialize_from_str(&text).unwrap()
}

/// The kind of each case: `ok`, `skipped`, or the type of its failure or error.
fn kinds(report: &Report, suite: usize) -> Vec<String> {
    let kind = |status: &TestCaseStatus| match status {
        TestCaseStatus::Success { .. } => "ok".to_owned(),
        TestCaseStatus::NonSuccess { kind, ty, .. } => {
            let prefix = if *kind == NonSuccessKind::Error { "error" } else { "failure" };
            format!("{prefix} {}", ty.as_ref().map_or("", |ty| ty.as_str()))
        }
        TestCaseStatus::Skipped { .. } => "skipped".to_owned(),
    };
    report.test_suites[suite].test_cases.iter().map(|case| kind(&case.status)).collect()
}

#[test]
fn junit_has_a_case_per_scenario_and_per_goal() {
    let report = junit(&every_kind());
    assert_eq!(kinds(&report, 0), ["ok", "ok", "ok", "error FAILED", "error VOID", "ok"]);
    let expected =
        ["ok", "failure missed", "failure unknown", "failure unknown", "failure unknown", "failure missed"];
    assert_eq!(kinds(&report, 1), expected);
    assert_eq!((report.tests, report.failures, report.errors), (12, 5, 2));
    let case = &report.test_suites[1].test_cases[1];
    assert_eq!(case.name.as_str(), "1 replica, 2 workers, 40 users: P95 < 50 ms");
    assert!(case.properties.iter().any(|property| property.value.as_str().starts_with("100.0 ms")));
}

#[test]
fn what_does_not_decide_is_skipped() {
    let mut records = every_kind();
    for record in &mut records {
        record.environment.question.gates = vec![::records::Gate { users: Some(20), ..Default::default() }];
    }
    let report = junit(&records);
    assert_eq!(kinds(&report, 1), ["ok", "skipped", "skipped", "skipped", "skipped", "skipped"]);
    for record in &mut records {
        record.environment.question = Question { unknown_passes: true, ..Question::default() };
    }
    assert_eq!(kinds(&junit(&records), 1)[2], "skipped");
}

/// The schema that most readers of JUnit XML share has an order of elements and a set of attributes.
#[test]
fn junit_keeps_to_the_common_schema() {
    let text = String::from_utf8(junit::render(&JudgedRun::of(&every_kind()))).unwrap();
    let names = |pattern: &str| text.matches(pattern).count();
    assert_eq!((names("<testsuites "), names("<testsuite "), names("<testcase ")), (1, 2, 12));
    for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("<test")) {
        for (name, _) in line.split(' ').skip(1).filter_map(|part| part.split_once("=\"")) {
            let known = [
                "name",
                "classname",
                "tests",
                "failures",
                "errors",
                "disabled",
                "time",
                "timestamp",
                "skipped",
            ];
            assert!(known.contains(&name), "{name} in {line}");
        }
    }
    assert!(text.contains("no pod &lt;is&gt; &quot;ready&quot; &amp; none comes"), "{text}");
}

#[test]
fn the_summary_names_what_does_not_pass_and_stays_small() {
    let text = String::from_utf8(summary::render(&JudgedRun::of(&every_kind()))).unwrap();
    for part in [
        "6 scenarios recorded, 3 valid.",
        "objective missed: 1 replica, 2 workers, 40 users",
        "| **missed** |",
        "| unknown |",
        "| FAILED |",
        "| VOID |",
        "| OVERLOADED |",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let many: Vec<Record> = (0..4000).map(|at| row(at, 100 + u32::try_from(at).unwrap(), 50)).collect();
    let text = String::from_utf8(summary::render(&JudgedRun::of(&many))).unwrap();
    assert!(
        text.len() < 1024 * 1024 && text.contains(" more lines are in auto_summary.md."),
        "{}",
        text.len()
    );
}

#[test]
fn gitlab_reads_the_last_row_that_decides() {
    let of = |records: &[Record]| -> Value {
        serde_json::from_slice(&gitlab::render(&JudgedRun::of(records))).unwrap()
    };
    let all = of(&every_kind());
    assert_eq!(all["scenario"], "open-r1-w2-q40-1");
    assert_eq!(all["metrics"]["http_req_duration"]["p(95)"], 100.0);
    assert_eq!(all["metrics"]["http_reqs"]["rate"], 40.0);
    assert_eq!(all["metrics"]["checks"]["passes"], 1);
    let none = of(&every_kind()[3..4]);
    assert_eq!(none["metrics"]["http_req_duration"]["p(95)"], Value::Null);
}

#[test]
fn openmetrics_have_figures_of_valid_rows_only_and_end_with_their_mark() {
    let text = String::from_utf8(openmetrics::render(&JudgedRun::of(&every_kind()))).unwrap();
    let closed = "model=\"closed\",replicas=\"1\",workers=\"2\",users=\"20\",repeat=\"1\"";
    assert!(text.contains(&format!("locust_matrix_p95_seconds{{{closed}}} 0.1\n")), "{text}");
    assert!(text.contains(&format!("locust_matrix_valid{{{closed},status=\"SUCCESS\"}} 1\n")));
    assert!(text.contains("status=\"VOID\"} 0\n") && text.contains("status=\"OVERLOADED\"} 0\n"));
    assert_eq!(text.matches("locust_matrix_p95_seconds{").count(), 3, "{text}");
    assert!(text.ends_with("# EOF\n"));
}

/// Probes of a search on a service that answers in proportion to the users: 12.5 ms each per replica.
pub(crate) fn searched(wanted: Option<f64>, users: &[(u32, u32)]) -> Vec<Record> {
    let search = Search {
        mode: Mode::Closed,
        replicas: vec![1, 2],
        workers: 2,
        most: 1000.0,
        most_probes: 12,
        most_s: None,
        goal_s: Some(0.5),
        think_s: 0.0,
        pool: None,
        most_pool: 1000,
        wanted,
        confirm: true,
    };
    let probe = |(index, &(replicas, users)): (usize, &(u32, u32))| {
        let rps = 80 * u64::from(replicas);
        let mut record = record(index, replicas, users, 20 * rps);
        let ms = u64::from(users) * 1000 / rps;
        for interval in &mut record.intervals {
            interval.primary = ::records::Histogram::of_ms([(ms, interval.requests)]);
            interval.succeeded = Some(interval.primary.clone());
            interval.total_ms = (ms * interval.requests) as f64;
        }
        let rule = record.stopping_rule.as_mut().unwrap();
        rule.think_s = 0.0;
        let counts = &mut record.window.as_mut().unwrap().endpoints[0];
        counts.histogram = ::records::Histogram::of_ms([(ms, counts.requests)]);
        counts.succeeded = counts.histogram.clone();
        record.objective.p95_ms = Some(500);
        record.environment.question.search = Some(search.clone());
        record
    };
    users.iter().enumerate().map(probe).collect()
}

/// The probes that the search makes of that service.
const PROBES: [(u32, u32); 10] =
    [(1, 8), (1, 36), (1, 40), (1, 38), (1, 42), (2, 16), (2, 72), (2, 80), (2, 76), (2, 84)];

#[test]
fn the_answer_is_in_every_report() {
    let probes = [&PROBES[..], &[(3, 110)]].concat();
    let records = searched(Some(110.0), &probes);
    let run = JudgedRun::of(&records);
    let answer = Answer::of(&run).unwrap();
    let line =
        "3 replicas carry 110 users at P95 < 500 ms (2 would carry 80 ± 0); confirmed: P95 458 ms [457, 458]";
    assert_eq!(answer.to_string(), line);
    let json: Value = serde_json::from_slice(&capacity_json::render(&answer)).unwrap();
    assert_eq!((&json["answer"], &json["needed"]["replicas"]), (&Value::from(line), &Value::from(3)));
    assert_eq!(json["capacities"][1]["confirmed"], true);
    assert_eq!(json["confirmation"]["outcome"], "met");
    let markdown = String::from_utf8(markdown::render(&Document::of(&run))).unwrap();
    let (answer_at, run_at) = (markdown.find("## Answer").unwrap(), markdown.find("## Run").unwrap());
    assert!(answer_at < run_at && markdown.contains("2 replicas carry 80 users"), "{markdown}");
    assert_eq!(crate::judge::exit_code(&run).0, crate::exit::ExitCode::Success);
}

#[test]
fn an_answer_beyond_what_was_measured_is_unknown_and_ends_6() {
    let records = searched(Some(900.0), &PROBES);
    let run = JudgedRun::of(&records);
    let (code, reasons) = crate::judge::exit_code(&run);
    assert_eq!(code, crate::exit::ExitCode::Threshold);
    assert!(reasons[0].contains("is not known beyond 2 replicas, which carry 80 ± 0"), "{reasons:?}");
}

#[test]
fn the_summary_of_a_job_is_added_to_what_other_steps_have_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("summary");
    append(&path, b"one\n").unwrap();
    append(&path, b"two\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    let error = append(folder.path(), b"").unwrap_err();
    assert!(error.to_string().contains("GITHUB_STEP_SUMMARY"), "{error}");
}
