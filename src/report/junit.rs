//! JUnit XML, for CI: a suite per scenario, with its figures and a case that says whether it was measured, and a case
//! per goal of each point.
//!
//! It keeps to the schema of Jenkins' xUnit plugin, `junit-10.xsd`, which is the strictest one that a reader checks:
//! there, properties belong to suites, not to cases.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::judge::{Check, JudgedRun, Row, checks, of_the_whole_run};
use crate::plan::Meets;

/// The bytes of the file.
pub(super) fn render(run: &JudgedRun<'_>) -> Vec<u8> {
    let unknown_passes = run.unknown_passes();
    let scenarios = run.rows.iter().map(|judged| scenario(&Row::of(judged)));
    let mut objectives = TestSuite::new("objectives");
    objectives.add_test_cases(checks(run).iter().map(|check| objective(check, unknown_passes)));
    objectives.add_test_cases(whole_run(run));
    let mut report = Report::new("locust-matrix");
    report.add_test_suites(scenarios.chain([objectives]));
    let text = report.to_string().unwrap_or_default();
    // The schema has the number of skipped cases at each suite, but not at their parent.
    text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1).into_bytes()
}

/// A scenario without figures is an error; any other verdict is for its goals to judge.
fn scenario(row: &Row<'_>) -> TestSuite {
    let (verdict, reasons) = (row.judgement.verdict, row.judgement.reasons.join("; "));
    let status = if verdict.is_failure() || row.record.window.is_none() {
        not(NonSuccessKind::Error, verdict.status(), &reasons)
    } else {
        TestCaseStatus::success()
    };
    let record = row.record;
    let mut case = TestCase::new(record.scenario.id.clone(), status);
    case.set_classname("scenarios");
    let took = record.finished_at.duration_since(record.started_at);
    case.set_time(std::time::Duration::from_secs_f64(took.as_secs_f64().max(0.0)));
    let mut suite = TestSuite::new(record.scenario.id.clone());
    suite.add_property(("status", verdict.status()));
    if !reasons.is_empty() {
        suite.add_property(("reasons", reasons.as_str()));
    }
    if let Some(figures) = row.primary {
        suite.add_property(("successful_requests_per_second", format!("{:.2}", figures.goodput).as_str()));
    }
    if let Some(ms) = row.p95_in_ms() {
        suite.add_property(("p95_ms", ms.as_str()));
    }
    suite.add_test_case(case);
    suite
}

fn objective(check: &Check, unknown_passes: bool) -> TestCase {
    let Check { subject, scenarios, goal, meets, detail, is_gated } = check;
    let status = match meets {
        Meets::Met => TestCaseStatus::success(),
        Meets::Missed if !is_gated => skipped(&format!("not gated; missed: {detail}")),
        Meets::Unknown if !is_gated => skipped(&format!("not gated; unknown: {detail}")),
        Meets::Missed => not(NonSuccessKind::Failure, "missed", detail),
        Meets::Unknown if unknown_passes => skipped(&format!("unknown: {detail}")),
        Meets::Unknown => not(NonSuccessKind::Failure, "unknown", detail),
    };
    let mut case = TestCase::new(format!("{subject}: {goal}"), status);
    case.set_classname("objectives");
    case.set_system_out(format!("{detail}\nscenarios: {}", scenarios.join(" ")));
    case
}

/// What does not let the run succeed, and has no case of its own.
fn whole_run(run: &JudgedRun<'_>) -> Option<TestCase> {
    let reasons = of_the_whole_run(run);
    if reasons.is_empty() {
        return None;
    }
    let mut case =
        TestCase::new("the whole run", not(NonSuccessKind::Failure, "incomplete", &reasons.join("; ")));
    case.set_classname("objectives");
    Some(case)
}

fn not(kind: NonSuccessKind, type_: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(type_).set_message(message);
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
