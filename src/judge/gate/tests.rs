use records::{Mode, Record, Unmeasured, UnmeasuredKind};

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
        reasons[0].starts_with("objective missed: 1 replica, 2 workers, 40 users: P95 < 50 ms: 100.0 ms"),
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
