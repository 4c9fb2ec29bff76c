use records::{Mode, Objective, Record, Unmeasured, UnmeasuredKind};

use super::*;
use crate::record::tests::record;

/// A valid row of 100 ms with this objective.
fn row(index: usize, replicas: u32, users: u32, most_ms: u32) -> Record {
    let mut record = record(index, replicas, users, 800);
    record.objective.p95_ms = Some(most_ms);
    record
}

fn end(records: &[Record]) -> (ExitCode, Vec<String>) {
    exit_code(&JudgedRun::of(records))
}

#[test]
fn a_missed_objective_ends_6_and_a_met_one_0() {
    assert_eq!(end(&[row(0, 1, 20, 150)]), (ExitCode::Success, Vec::new()));
    let (code, reasons) = end(&[row(0, 1, 20, 150), row(1, 1, 40, 50)]);
    assert_eq!((code, reasons.len()), (ExitCode::Threshold, 1));
    assert!(
        reasons[0].starts_with("objective missed: 1 replica, 2 workers, 40 users: P95 < 50 ms: 100 ms"),
        "{reasons:?}"
    );
    let mut without = row(0, 1, 20, 50);
    without.objective = Objective::default();
    assert_eq!(end(&[without]).0, ExitCode::Success, "nothing is asked for");
}

#[test]
fn an_unknown_one_ends_6_unless_it_may_pass() {
    let mut open = row(0, 1, 20, 150);
    (open.scenario.mode, open.scenario.rate) = (Mode::Open, Some(40.0));
    open.stopping_rule.as_mut().unwrap().users = None;
    let (code, reasons) = end(std::slice::from_ref(&open));
    assert_eq!(code, ExitCode::Threshold);
    assert!(
        reasons[0].starts_with("objective unknown: ") && reasons[0].contains("--unknown pass"),
        "{reasons:?}"
    );
    open.environment.question.unknown_passes = true;
    assert_eq!(end(&[open]).0, ExitCode::Success);
}

#[test]
fn a_row_without_figures_outweighs_a_missed_objective() {
    let mut broken = row(0, 1, 20, 50);
    broken.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "no pod"));
    broken.window = None;
    let (code, reasons) = end(&[broken, row(1, 1, 40, 50)]);
    assert_eq!((code, reasons.len()), (ExitCode::Scenario, 2), "{reasons:?}");
    let mut void = row(0, 1, 20, 50);
    void.disturbed = Some("a pod is gone".into());
    assert_eq!(end(&[void]).0, ExitCode::Scenario);
}

#[test]
fn failed_requests_and_an_overloaded_service_miss() {
    let mut errors = row(0, 1, 20, 5000);
    errors.window.as_mut().unwrap().endpoints[0].failures = 80;
    let (code, reasons) = end(&[errors]);
    assert_eq!(code, ExitCode::Threshold);
    assert!(reasons[0].starts_with("objective missed: ") && reasons[0].contains("ERRORS: "), "{reasons:?}");
}

#[test]
fn gates_select_the_rows_that_decide() {
    let gated = |gates: &[Gate]| {
        let mut records = [row(0, 1, 20, 50), row(1, 4, 20, 150)];
        for record in &mut records {
            record.environment.question.gates = gates.to_vec();
        }
        end(&records)
    };
    let gate = |replicas| Gate { replicas: Some(replicas), ..Gate::default() };
    assert_eq!(gated(&[gate(4)]).0, ExitCode::Success);
    assert_eq!(gated(&[gate(1)]).0, ExitCode::Threshold);
    assert_eq!(gated(&[gate(4), Gate { users: Some(20), ..Gate::default() }]).0, ExitCode::Threshold);
    let (code, reasons) = gated(&[gate(8)]);
    assert_eq!(
        (code, reasons[0].as_str()),
        (ExitCode::Threshold, "objective unknown: no row is selected by --gate")
    );
}

/// Three repeats of which this many of 800 requests failed.
fn repeats(failures: [u64; 3], most_pct: f64) -> Vec<Record> {
    let of = |(index, failures)| {
        let mut record = row(index, 1, 20, 500);
        record.scenario.repeat = u32::try_from(index).unwrap() + 1;
        record.scenario.id = format!("{}-{}", record.scenario.point_id(), record.scenario.repeat);
        record.objective.failures_pct = Some(most_pct);
        let counts = &mut record.window.as_mut().unwrap().endpoints[0];
        counts.failures = failures;
        counts.succeeded = records::Histogram::of_ms([(100, counts.requests - failures)]);
        record
    };
    failures.into_iter().enumerate().map(of).collect()
}

#[test]
fn repeats_in_which_the_service_fails_count_against_it() {
    // 5, 5 and 0.5 % of the requests failed: 3.5 % of all.
    let (code, reasons) = end(&repeats([40, 40, 4], 1.0));
    assert_eq!(code, ExitCode::Threshold, "{reasons:?}");
    assert!(reasons[0].contains("P95 < 500 ms") && reasons[0].contains("ERRORS: "), "{reasons:?}");
    assert!(reasons[1].contains("failures < 1 %: 3.50 %"), "{reasons:?}");
    // One of three: it is not known how often.
    let (code, reasons) = end(&repeats([10, 4, 4], 1.0));
    assert_eq!(code, ExitCode::Threshold, "{reasons:?}");
    assert!(
        reasons.len() == 1 && reasons[0].contains("1 of 3 repeats miss it (ERRORS: "),
        "0.75 % of all requests failed, which is allowed: {reasons:?}"
    );
    assert_eq!(end(&repeats([4, 4, 4], 1.0)).0, ExitCode::Success);
}

#[test]
fn scenarios_without_a_record_are_told() {
    let planned = |planned| {
        let mut records = [row(0, 1, 20, 150)];
        records[0].environment.question.planned = Some(planned);
        end(&records)
    };
    assert_eq!(planned(1).0, ExitCode::Success);
    let (code, reasons) = planned(24);
    assert_eq!(code, ExitCode::Scenario);
    assert_eq!(reasons, ["23 of 24 scenarios have no record: wait for the run, or go on with --resume"]);
}

#[test]
fn goals_of_endpoints_are_told_with_their_figures() {
    let with = |goal: &str| {
        let mut record = row(0, 1, 20, 150);
        let goal: crate::config::Goal = goal.parse().unwrap();
        record.objective = Objective::default().with(goal.objective().clone());
        end(&[record]).1.join("\n")
    };
    let absent = with("GET /windw: p99<80ms");
    assert!(
        absent.contains("GET /windw: P99 < 80 ms: not measured; no request to it was measured"),
        "{absent}"
    );
    let failures = with("failures<1%");
    assert_eq!(failures, "", "met");
    let throughput = with("rps>=50");
    assert!(throughput.contains(": 40.0 requests/s ["), "{throughput}");
}
