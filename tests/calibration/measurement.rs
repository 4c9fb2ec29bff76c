//! One simulated measurement as the record that the driver would write.

use std::collections::BTreeMap;

use fake_inference::simulation::{Load, Think};
use jiff::Timestamp;
use locust_matrix::measure::{Next, interval_s, next, window_from};
use records::{
    Endpoint, Environment, Interval, Mode, Objective, Record, Scenario, StoppingRule, VERSION, Window,
};

use super::cell::Cell;
use super::system::System;

/// The driver's number of neighbouring intervals that must agree.
const AGREEING: usize = 5;

/// Measures a cell once. The same repeat and the same seed give the same record.
pub(crate) fn record(cell: &Cell, repeat: u32, seed: u64) -> Record {
    let rule = stopping_rule(cell);
    // Few measurements need more time than was asked for: those are simulated again, for longer.
    let (mut system, mut seconds) = (System::simulate(cell, seed, rule.duration_s), rule.duration_s);
    let mut intervals: Vec<Interval> = Vec::new();
    let mut at = 0.0;
    while intervals.is_empty() || next(&rule, &intervals) != Next::Close {
        let to = at + interval_s(&rule);
        if to > seconds + 1e-9 {
            seconds = rule.most_s + interval_s(&rule);
            system = System::simulate(cell, seed, seconds);
        }
        intervals.push(system.interval(at, to));
        at = to;
    }
    let steady = &intervals[window_from(&rule, &intervals)..];
    let window = window(&Interval::sum(steady));
    let opened = at - window.seconds;
    Record {
        version: VERSION,
        run_id: "simulated".to_owned(),
        plan_hash: String::new(),
        scenario: scenario(cell, repeat),
        attempt: 1,
        environment: environment().into(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        timings_ms: BTreeMap::new(),
        window: Some(window.clone()),
        whole_run: Some(window),
        open: system.open(opened, at),
        replicas: system.replicas(at),
        intervals,
        stopping_rule: Some(rule),
        objective: Objective::default(),
        membership: None,
        disturbed: None,
        exceptions: Vec::new(),
        unmeasured: None,
        samples: Vec::new(),
        workers: Vec::new(),
        errors: Vec::new(),
        left_out: Vec::new(),
        impossible: 0,
        folded: 0,
        resets: 0,
        cut_off: 0,
    }
}

fn stopping_rule(cell: &Cell) -> StoppingRule {
    let (users, think_s) = match cell.simulation.load {
        Load::Closed { users, think: Think::Exponential(think_s) | Think::Constant(think_s), .. } => {
            (u32::try_from(users).ok(), think_s)
        }
        Load::Closed { users, .. } => (u32::try_from(users).ok(), 0.0),
        Load::Open { .. } => (None, 0.0),
    };
    StoppingRule {
        users,
        think_s,
        duration_s: cell.duration_s,
        stop_early_after_s: cell.until_stable.then_some(cell.duration_s / 4.0),
        most_s: 2.0 * cell.duration_s,
        exact: true,
        agreeing: AGREEING,
        resolution_us: 1,
        quantiles: vec![0.95],
    }
}

fn window(steady: &Interval) -> Window {
    let endpoint = |method: &str, name: &str| Endpoint {
        method: method.to_owned(),
        name: name.to_owned(),
        requests: steady.requests,
        failures: steady.failed(),
        total_ms: steady.total_ms,
        histogram: steady.primary.clone(),
        succeeded: steady.successes().clone(),
        from_send: None,
    };
    Window {
        seconds: steady.seconds,
        cut_spread_ms: 0.0,
        aggregated: endpoint("", "Aggregated"),
        endpoints: vec![endpoint("POST", "/predict")],
    }
}

fn scenario(cell: &Cell, repeat: u32) -> Scenario {
    let (mode, users, rate) = match cell.simulation.load {
        Load::Closed { users, .. } => (Mode::Closed, users, None),
        Load::Open { users, rate, .. } => (Mode::Open, users, Some(rate)),
    };
    Scenario {
        id: format!("simulated-{repeat}"),
        index: usize::try_from(repeat).unwrap_or_default(),
        mode,
        replicas: u32::try_from(cell.simulation.replicas).unwrap_or(u32::MAX),
        workers: 1,
        users: u32::try_from(users).unwrap_or(u32::MAX),
        rate,
        repeat,
        drift: false,
    }
}

fn environment() -> Environment {
    Environment {
        cluster: "simulated".to_owned(),
        primary: "POST /predict".to_owned(),
        generator: "simulated".to_owned(),
        percentile_digits: 3,
        ..Environment::default()
    }
}
