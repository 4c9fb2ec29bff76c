//! The files for programs, of rows that are met, missed, unknown, failed, void and overloaded.

use ::records::{Arrivals, Mode, Question, Record, Search, Unmeasured, UnmeasuredKind};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;

use super::*;
use crate::record::tests::record;

mod hostile;
mod metrics;

pub(crate) use hostile::{hostile, named};

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

/// The kind of each case of the suites whose names begin with `prefix`: `ok`, `skipped`, or the type of its failure or
/// error.
fn kinds(report: &Report, prefix: &str) -> Vec<String> {
    let kind = |status: &TestCaseStatus| match status {
        TestCaseStatus::Success { .. } => "ok".to_owned(),
        TestCaseStatus::NonSuccess { kind, ty, .. } => {
            let prefix = if *kind == NonSuccessKind::Error { "error" } else { "failure" };
            format!("{prefix} {}", ty.as_ref().map_or("", |ty| ty.as_str()))
        }
        TestCaseStatus::Skipped { .. } => "skipped".to_owned(),
    };
    let suites = report.test_suites.iter().filter(|suite| suite.name.as_str().starts_with(prefix));
    suites.flat_map(|suite| &suite.test_cases).map(|case| kind(&case.status)).collect()
}

#[test]
fn junit_has_a_case_per_scenario_and_per_goal() {
    let report = junit(&every_kind());
    assert_eq!(kinds(&report, "closed-"), ["ok", "ok", "error FAILED", "error VOID"]);
    assert_eq!(kinds(&report, "open-"), ["ok", "ok"]);
    let expected =
        ["ok", "failure missed", "failure unknown", "failure unknown", "failure unknown", "failure missed"];
    assert_eq!(kinds(&report, "objectives"), expected);
    assert_eq!((report.tests, report.failures, report.errors), (12, 5, 2));
    let scenario = &report.test_suites[1];
    assert!(scenario.properties.iter().any(|p| p.name.as_str() == "p95_ms" && p.value.as_str() == "100"));
    let case = &report.test_suites[6].test_cases[1];
    assert_eq!(case.name.as_str(), "1 replica, 2 workers, 40 users: P95 < 50 ms");
    assert!(case.system_out.as_ref().unwrap().as_str().starts_with("100 ms"));
}

#[test]
fn what_does_not_decide_is_skipped() {
    let mut records = every_kind();
    for record in &mut records {
        record.environment.question.gates = vec![::records::Gate { users: Some(20), ..Default::default() }];
    }
    let report = junit(&records);
    let expected = ["ok", "skipped", "skipped", "skipped", "skipped", "skipped"];
    assert_eq!(kinds(&report, "objectives"), expected);
    for record in &mut records {
        record.environment.question = Question { unknown_passes: true, ..Question::default() };
    }
    assert_eq!(kinds(&junit(&records), "objectives")[2], "skipped");
}

/// What Jenkins' `junit-10.xsd` allows: each element with its parents and its attributes.
const SCHEMA: &[(&str, &[&str], &[&str])] = &[
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"]),
    ("testsuite", &["testsuites"], &["name", "tests", "failures", "errors", "skipped", "time", "timestamp"]),
    ("properties", &["testsuite"], &[]),
    ("property", &["properties"], &["name", "value"]),
    ("testcase", &["testsuite"], &["name", "time", "classname"]),
    ("skipped", &["testcase"], &["type", "message"]),
    ("error", &["testcase"], &["type", "message"]),
    ("failure", &["testcase"], &["type", "message"]),
    ("system-out", &["testcase", "testsuite"], &[]),
];

#[test]
fn junit_keeps_to_the_strictest_schema() {
    let mut records = every_kind();
    records[1].environment.question.gates = vec![::records::Gate { users: Some(20), ..Default::default() }];
    records[0].environment = records[1].environment.clone();
    let text = String::from_utf8(junit::render(&JudgedRun::of(&records))).unwrap();
    let mut open: Vec<String> = Vec::new();
    for part in text.split('<').skip(2) {
        let (tag, _) = part.split_once('>').unwrap();
        if tag.starts_with('/') {
            open.pop();
            continue;
        }
        let name = tag.trim_end_matches('/').split_whitespace().next().unwrap().to_owned();
        let (_, parents, attributes) = SCHEMA.iter().find(|(known, ..)| *known == name).expect(&name);
        let parent = open.last().map_or("", String::as_str);
        assert!(parents.contains(&parent) || (parents.is_empty() && open.is_empty()), "{name} in {parent}");
        for (before, _) in tag.split("=\"").zip(tag.split("=\"").skip(1)) {
            let attribute = before.rsplit(' ').next().unwrap();
            assert!(attributes.contains(&attribute), "{attribute} of {name}");
        }
        if !tag.ends_with('/') {
            open.push(name);
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
    assert_eq!(all["metrics"]["checks"]["passes"], 1);
    // The last point is overloaded: the figures of another one would be compared with it.
    assert_eq!(all["scenario"], "open-r1-w2-q60-1");
    assert_eq!(all["metrics"]["http_req_duration"]["p(95)"], Value::Null);
    let valid = of(&every_kind()[..3]);
    assert_eq!(valid["scenario"], "open-r1-w2-q40-1");
    assert_eq!(valid["metrics"]["http_req_duration"]["p(95)"], 100.0);
    assert_eq!(valid["metrics"]["http_reqs"]["rate"], 40.0);
    let mut incomplete = every_kind()[..1].to_vec();
    let checks = |records: &[Record]| of(records)["metrics"]["checks"].clone();
    assert_eq!(checks(&incomplete)["fails"], 0);
    incomplete[0].environment.question.planned = Some(2);
    assert_eq!((&checks(&incomplete)["fails"], &checks(&incomplete)["passes"]), (&1.into(), &1.into()));
    let junit = String::from_utf8(junit::render(&JudgedRun::of(&incomplete))).unwrap();
    assert!(junit.contains("1 of 2 scenarios have no record"), "{junit}");
    // The answer decides, and no row of its own has confirmed it.
    let search = of(&searched(Some(70.0), &PROBES));
    assert_eq!(search["scenario"], "closed-r2-w2-u84-1");
    assert_ne!(search["metrics"]["http_req_duration"]["p(95)"], Value::Null);
    let none = of(&every_kind()[3..4]);
    assert_eq!(none["metrics"]["http_req_duration"]["p(95)"], Value::Null);
}

/// Probes of a search on a service that answers in proportion to the users: 12.5 ms each per replica.
pub(crate) fn searched(wanted: Option<f64>, users: &[(u32, u32)]) -> Vec<Record> {
    let is_first = |&&(replicas, users): &&(u32, u32)| replicas > 2 && users == 8 * replicas;
    let search = Search {
        mode: Mode::Closed,
        replicas: [1, 2]
            .into_iter()
            .chain(users.iter().filter(is_first).map(|(replicas, _)| *replicas))
            .collect(),
        workers: 2,
        most: 1000.0,
        most_probes: 12,
        most_s: None,
        goal_s: Some(0.5),
        pool: None,
        most_pool: 1000,
        wanted,
        confirm: true,
        confirmations: 1,
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
        let window = record.window.as_mut().unwrap();
        window.aggregated.total_ms = (ms * window.aggregated.requests) as f64;
        let counts = &mut window.endpoints[0];
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
    let line = "3 replicas carry 110 users at P95 < 500 ms (2 would carry 80 [80, 80]); confirmed: P95 458 ms [457, 458]";
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

/// The probes that the search makes of that service with one to four replicas.
fn probes_of_four() -> Vec<(u32, u32)> {
    let users = |replicas| [8, 36, 40, 38, 42].map(|users| (replicas, users * replicas));
    (1..=4).flat_map(users).collect()
}

#[test]
fn four_capacities_have_their_law_in_the_report() {
    let records = searched(Some(250.0), &probes_of_four());
    let run = JudgedRun::of(&records);
    let answer = Answer::of(&run).unwrap();
    let line = "7 replicas carry 250 users at P95 < 500 ms (not measured, but told from 1, 2, 3 and 4 replicas; 6 would \
                carry 240 [";
    assert!(answer.to_string().starts_with(line), "{answer}");
    let markdown = String::from_utf8(markdown::render(&Document::of(&run))).unwrap();
    let law = "the 4 that were measured follow the Universal Scalability Law with λ = 40.0 ± ";
    assert!(markdown.contains(law), "{markdown}");
    let three = searched(Some(250.0), &probes_of_four()[..15]);
    assert_eq!(Answer::of(&JudgedRun::of(&three)).unwrap().scaling, None);
}

#[test]
fn an_answer_beyond_what_was_measured_is_unknown_and_ends_6() {
    let records = searched(Some(900.0), &PROBES);
    let run = JudgedRun::of(&records);
    let (code, reasons) = crate::judge::exit_code(&run);
    assert_eq!(code, crate::exit::ExitCode::Threshold);
    assert!(reasons[0].contains("is not known beyond 2 replicas, which carry 80 [80, 80]"), "{reasons:?}");
}

#[test]
fn a_search_with_a_failed_probe_ends_5_and_says_what_to_do() {
    let mut records = searched(None, &PROBES);
    let end = |records: &[Record]| {
        let run = JudgedRun::of(records);
        let (code, reasons) = crate::judge::exit_code(&run);
        assert_eq!(code, crate::exit::ExitCode::Scenario);
        (reasons, Answer::of(&run).unwrap().to_string())
    };
    // Two replicas have no room, so their first probe is their last one.
    records.truncate(6);
    let no_place = Unmeasured::new(UnmeasuredKind::NoPlace, "no node has room");
    (records[5].window, records[5].unmeasured) = (None, Some(no_place));
    let (reasons, answer) = end(&records);
    assert_eq!(
        reasons[0],
        "probe INFEASIBLE: 2 replicas, 2 workers, 16 users: no node has room: sweep fewer replicas, request less per \
         pod, or add nodes; for a quota, ask the namespace's owners; then search again"
    );
    assert_eq!(
        answer,
        "at P95 < 500 ms: 1 replica carries 40 users [40, 40]; what 2 replicas carry is not known: a probe could not \
         be measured"
    );
    // A service that fails every request of every load carries none, which was measured.
    let mut dead = searched(None, &[(1, 8), (1, 4)]);
    for record in &mut dead {
        record.environment.question.search.as_mut().unwrap().replicas = vec![1];
        let counts = &mut record.window.as_mut().unwrap().endpoints[0];
        counts.failures = counts.requests;
    }
    let (reasons, answer) = end(&dead);
    assert!(
        reasons[0].starts_with("probe FAILED: 1 replica, 2 workers, 8 users: every request to "),
        "{reasons:?}"
    );
    assert!(
        reasons[0].ends_with("what was answered; the search has counted it as too much load"),
        "{reasons:?}"
    );
    assert!(answer.ends_with("1 replica never met the objective, tried with 4 to 8 users"), "{answer}");
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

#[test]
fn every_answer_fits_the_published_schema() {
    use crate::events::tests::validate::{fields, problem, published};
    use crate::plan::Needed;
    let schema: Value = serde_json::from_str(include_str!("../../docs/capacity.schema.json")).unwrap();
    let confirmed = [&PROBES[..], &[(3, 110)]].concat();
    let runs = [
        searched(None, &PROBES[..3]),
        searched(Some(110.0), &confirmed),
        searched(Some(110.0), &PROBES),
        searched(Some(900.0), &PROBES),
        searched(Some(110.0), &[(1, 8)]),
        searched(Some(250.0), &probes_of_four()),
    ];
    let mut missing = published(&schema, "capacity.json");
    let mut answers: Vec<_> =
        runs.iter().map(|records| Answer::of(&JudgedRun::of(records)).unwrap()).collect();
    let Some(Needed::Replicas { carries, .. }) = answers[1].needed else { panic!("{answers:?}") };
    answers.push(Answer {
        needed: Some(Needed::TooLittle { carries, missed: 115.0 }),
        confirmation: None,
        ..answers[1].clone()
    });
    for answer in answers {
        let answer: Value = serde_json::from_slice(&capacity_json::render(&answer)).unwrap();
        assert_eq!(problem(&answer, schema.as_object().unwrap(), &schema), None, "{answer}");
        for field in fields(&answer, &schema, &schema, "capacity.json") {
            missing.remove(&field);
        }
    }
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), [""; 0], "no answer has them");
}
