//! Scenarios and records for tests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use records::{Environment, Mode, Objective, Record, Scenario, VERSION};

pub(crate) fn scenario(id: &str, replicas: u32, workers: u32, users: u32) -> Scenario {
    let id = id.to_owned();
    Scenario {
        id,
        index: 0,
        mode: Mode::Closed,
        replicas,
        workers,
        users,
        rate: None,
        repeat: 1,
        drift: false,
    }
}

/// The record of a scenario of which nothing was observed.
pub(crate) fn record(scenario: Scenario) -> Record {
    Record {
        version: VERSION,
        run_id: "run".into(),
        plan_hash: "hash".into(),
        scenario,
        attempt: 1,
        environment: Environment::default().into(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        timings_ms: BTreeMap::new(),
        window: None,
        whole_run: None,
        intervals: Vec::new(),
        stopping_rule: None,
        objective: Objective::default(),
        open: None,
        membership: None,
        disturbed: None,
        exceptions: Vec::new(),
        unmeasured: None,
        samples: Vec::new(),
        replicas: Vec::new(),
        workers: Vec::new(),
        errors: Vec::new(),
        left_out: Vec::new(),
        impossible: 0,
        folded: 0,
        resets: 0,
        cut_off: 0,
    }
}
