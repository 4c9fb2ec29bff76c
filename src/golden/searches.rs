//! Searches on services that are formulas, with noise.

use std::fmt::Write as _;

use expect_test::expect_file;
use records::{Mode, Scenario, Search};

use super::{chance, rounded, search};
use crate::events::Progress;
use crate::plan::{Meets, Outcome, Plan, SearchPlan, Worth, found, needed, scaling};

/// Searches of each service, each with noise of its own.
const SEEDS: u64 = 4;

/// A service: what its rows tell about a load.
struct Service {
    name: &'static str,
    mode: Mode,
    /// P95 in s, successful requests/s and the worth of the row for this load and number of replicas.
    answer: fn(load: f64, replicas: f64) -> (f64, f64, Worth),
    /// The share by which response times vary.
    noise: f64,
    change: fn(&mut Search),
}

/// 4 slots of 50 ms for each replica.
fn queue(users: f64, replicas: f64) -> (f64, f64, Worth) {
    let response = 0.05 * (users / (4.0 * replicas)).max(1.0);
    (response, users / response, Worth::Figures)
}

/// The same, but replicas hinder each other.
fn contended(users: f64, replicas: f64) -> (f64, f64, Worth) {
    queue(users, replicas / (1.0 + 0.08 * (replicas - 1.0) + 0.004 * replicas * (replicas - 1.0)))
}

/// At most 20 requests/s for each replica, from users that think for this long, s, after answers that take this long, s.
fn thinking(think_s: f64, service_s: f64, users: f64, replicas: f64) -> (f64, f64, Worth) {
    let rps = (users / (think_s + service_s)).min(20.0 * replicas);
    (users / rps - think_s, rps, Worth::Figures)
}

/// An open queue with 80 requests/s for each replica.
fn open(rate: f64, replicas: f64) -> (f64, f64, Worth) {
    let capacity = 80.0 * replicas;
    if rate >= capacity {
        return (5.0, capacity, Worth::Exceeded);
    }
    (3.0 / (capacity - rate), rate, Worth::Figures)
}

const fn as_it_is(_: &mut Search) {}

const SERVICES: &[Service] = &[
    Service { name: "a queue", mode: Mode::Closed, answer: queue, noise: 0.0, change: as_it_is },
    Service { name: "a noisy queue", mode: Mode::Closed, answer: queue, noise: 0.16, change: as_it_is },
    Service { name: "a very noisy queue", mode: Mode::Closed, answer: queue, noise: 0.6, change: as_it_is },
    Service {
        name: "replicas that hinder each other",
        mode: Mode::Closed,
        answer: contended,
        noise: 0.04,
        change: |search| search.replicas = vec![1, 2, 4, 8, 16],
    },
    Service {
        name: "users that think for 1 s",
        mode: Mode::Closed,
        answer: |users, replicas| thinking(1.0, 0.2, users, replicas),
        noise: 0.05,
        change: as_it_is,
    },
    Service {
        name: "users that think for 5 s",
        mode: Mode::Closed,
        answer: |users, replicas| thinking(5.0, 0.2, users, replicas),
        noise: 0.05,
        change: as_it_is,
    },
    Service {
        name: "users that think for 30 s, and a goal near the response time",
        mode: Mode::Closed,
        answer: |users, replicas| thinking(30.0, 0.4, users, replicas),
        noise: 0.05,
        change: |search| search.most = 10_000.0,
    },
    Service {
        name: "100 slots, and a goal just above the service time",
        mode: Mode::Closed,
        answer: |users, replicas| {
            let response = 0.48 * (users / (100.0 * replicas)).max(1.0);
            (response, users / response, Worth::Figures)
        },
        noise: 0.01,
        change: as_it_is,
    },
    Service {
        name: "sheds load beyond 23 users for each replica",
        mode: Mode::Closed,
        answer: |users, replicas| {
            let (p95, rps, worth) = queue(users, replicas);
            (p95, rps, if users > 23.0 * replicas { Worth::Exceeded } else { worth })
        },
        noise: 0.05,
        change: as_it_is,
    },
    Service {
        name: "is as fast under every load",
        mode: Mode::Closed,
        answer: |users, _| (0.1, users / 0.1, Worth::Figures),
        noise: 0.1,
        change: as_it_is,
    },
    Service {
        name: "is always too slow",
        mode: Mode::Closed,
        answer: |users, _| (0.8, users / 0.8, Worth::Figures),
        noise: 0.1,
        change: as_it_is,
    },
    Service {
        name: "is always too slow under a small load",
        mode: Mode::Closed,
        answer: |users, replicas| {
            let p95 = (6.0 / users).max(0.1).max(users / (200.0 * replicas));
            (p95, users / p95, Worth::Figures)
        },
        noise: 0.02,
        change: as_it_is,
    },
    Service {
        name: "fails every request",
        mode: Mode::Closed,
        answer: |_, _| (1.0, 0.0, Worth::Exceeded),
        noise: 0.0,
        change: as_it_is,
    },
    Service {
        name: "nothing is measured beyond 30 users",
        mode: Mode::Closed,
        answer: |users, replicas| {
            let (p95, rps, worth) = queue(users, replicas);
            (p95, rps, if users > 30.0 { Worth::Nothing } else { worth })
        },
        noise: 0.02,
        change: as_it_is,
    },
    Service {
        name: "its rows are unclear from 38 to 44 users",
        mode: Mode::Closed,
        answer: |users, replicas| {
            let (p95, rps, worth) = queue(users, replicas);
            (p95, rps, if (38.0..44.0).contains(&users) { Worth::Unclear } else { worth })
        },
        noise: 0.05,
        change: as_it_is,
    },
    Service {
        name: "the load generator ends at 60 users",
        mode: Mode::Closed,
        answer: |users, replicas| {
            let (p95, rps, worth) = queue(users, replicas);
            (p95, rps, if users > 60.0 { Worth::GeneratorLimited } else { worth })
        },
        noise: 0.05,
        change: as_it_is,
    },
    Service {
        name: "at most 50 users are allowed",
        mode: Mode::Closed,
        answer: queue,
        noise: 0.05,
        change: |search| search.most = 50.0,
    },
    Service {
        name: "a search of at most 90 s",
        mode: Mode::Closed,
        answer: queue,
        noise: 0.05,
        change: |search| search.most_s = Some(90.0),
    },
    Service {
        name: "a search of at most 4 probes",
        mode: Mode::Closed,
        answer: queue,
        noise: 0.3,
        change: |search| search.most_probes = 4,
    },
    Service {
        name: "replicas for 130 users, confirmed",
        mode: Mode::Closed,
        answer: queue,
        noise: 0.05,
        change: |search| (search.wanted, search.confirm) = (Some(130.0), true),
    },
    Service { name: "an open queue", mode: Mode::Open, answer: open, noise: 0.0, change: as_it_is },
    Service { name: "a noisy open queue", mode: Mode::Open, answer: open, noise: 0.3, change: as_it_is },
    Service {
        name: "an open queue with at most 100 requests/s",
        mode: Mode::Open,
        answer: open,
        noise: 0.1,
        change: |search| search.most = 100.0,
    },
    Service {
        name: "an open queue that carries almost nothing",
        mode: Mode::Open,
        answer: |rate, replicas| {
            let (p95, rps, worth) = open(rate * 40.0, replicas);
            (p95, rps / 40.0, worth)
        },
        noise: 0.1,
        change: as_it_is,
    },
    Service {
        name: "replicas for 220 requests/s, confirmed three times",
        mode: Mode::Open,
        answer: open,
        noise: 0.05,
        change: |search| {
            (search.wanted, search.confirm, search.confirmations) = (Some(220.0), true, 3);
        },
    },
    Service {
        name: "throughput is wanted, and response times are not",
        mode: Mode::Closed,
        answer: queue,
        noise: 0.02,
        change: |search| search.goal_s = None,
    },
];

#[test]
fn what_searches_measure_and_find() {
    let mut text = String::new();
    for (index, service) in SERVICES.iter().enumerate() {
        for seed in 0..if service.noise > 0.0 { SEEDS } else { 1 } {
            let _ = writeln!(text, "## {}, seed {seed}", service.name);
            one(service, 1000 * index as u64 + seed, &mut text);
        }
    }
    expect_file!["expected/searches.txt"].assert_eq(&rounded(&text));
}

fn one(service: &Service, seed: u64, text: &mut String) {
    let mut search = Search { workers: 2, ..search(service.mode, &[1, 2, 4]) };
    (service.change)(&mut search);
    let plan = SearchPlan { search: search.clone() };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut last = 0;
    while let Some(scenario) = plan.next(&outcomes) {
        if scenario.replicas != last {
            last = scenario.replicas;
            let _ = write!(text, "\n{last} replicas:");
        }
        outcomes.push(measured(service, &search, scenario, seed));
        let learned = plan.learned(&outcomes).and_then(|event| match event {
            Progress::ProbeEnded { probe, outcome, .. } => Some(format!(" #{probe} {outcome}")),
            _ => None,
        });
        let _ = write!(text, " {}{};", load_of(outcomes.last()), learned.unwrap_or_default());
    }
    text.push_str("\n\n");
    let found = found(&search, &outcomes);
    for one in &found {
        let _ = writeln!(text, "{one}\n    {one:?}");
    }
    if let Some(scaling) = scaling(&found) {
        let _ = writeln!(text, "{scaling:?}");
    }
    let wanted = if service.mode == Mode::Closed { [30.0, 60.0, 300.0] } else { [60.0, 200.0, 500.0] };
    for wanted in wanted {
        let _ = writeln!(text, "for {wanted}: {:?}", needed(&found, wanted, search.confirm));
    }
    text.push('\n');
}

fn load_of(outcome: Option<&Outcome>) -> String {
    let Some(Outcome { scenario, .. }) = outcome else { return String::new() };
    scenario.rate.map_or_else(|| scenario.users.to_string(), |rate| format!("{rate}"))
}

fn measured(service: &Service, search: &Search, scenario: Scenario, seed: u64) -> Outcome {
    let load = scenario.rate.unwrap_or_else(|| f64::from(scenario.users));
    let (p95_s, rps, worth) = (service.answer)(load, f64::from(scenario.replicas));
    let noise = chance(seed ^ load.to_bits() ^ u64::from(scenario.replicas) << 32);
    let factor = 1.0 + service.noise * (noise - 0.5);
    let (p95_s, rps) =
        if scenario.rate.is_some() { (p95_s * factor, rps) } else { (p95_s * factor, rps / factor) };
    let is_exceeded = worth == Worth::Exceeded;
    // 70 requests/s of each replica, where throughput is the goal.
    let throughput = search.goal_s.is_none().then(|| rps / (70.0 * f64::from(scenario.replicas)));
    let headroom = match search.goal_s {
        _ if is_exceeded => Some(0.0),
        Some(goal_s) => Some(goal_s / p95_s),
        None => None,
    };
    let meets = match worth {
        Worth::Exceeded => Meets::Missed,
        Worth::Figures | Worth::GeneratorLimited => {
            let is_met =
                headroom.is_none_or(|ratio| ratio >= 1.0) && throughput.is_none_or(|ratio| ratio >= 1.0);
            if is_met { Meets::Met } else { Meets::Missed }
        }
        Worth::Unclear | Worth::Nothing => Meets::Unknown,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time")]
    let p95_us = (p95_s * 1e6) as u64;
    let has_figures = worth != Worth::Nothing;
    Outcome {
        scenario,
        worth,
        objective: meets,
        rps: has_figures.then_some(rps),
        under_way: has_figures.then_some(rps * p95_s),
        p95_us: has_figures.then_some(p95_us),
        headroom: headroom.filter(|_| has_figures),
        throughput: throughput.filter(|_| has_figures),
        took_s: 20.0,
    }
}
