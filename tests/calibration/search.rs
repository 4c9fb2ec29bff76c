//! Searches for a capacity on simulated services whose capacity is known.

use fake_inference::simulation::{Connections, Service};
use locust_matrix::judge::{JudgedRun, outcomes};
use locust_matrix::plan::{Capacity, Found, Plan, SearchPlan, found};
use records::{Mode, Objective, Question, Record, Scenario, Search};

use super::cell::Cell;
use super::measurement::record;
use super::system::System;

/// Mean service time, s.
const SERVICE_S: f64 = 0.05;
/// Length of the runs that tell the truth, s.
const LONG_S: f64 = 1000.0;
/// The objective of every search: P95 in ms, at most.
pub(crate) const P95_MS: u32 = 500;
/// A capacity within this share of the truth is right.
pub(crate) const RIGHT: f64 = 0.05;

/// The services that are searched, all with the same mean.
pub(crate) const SERVICES: [(&str, Service); 3] = [
    ("constant", Service::Constant(SERVICE_S)),
    ("exponential", Service::Exponential(SERVICE_S)),
    ("log-normal", Service::LogNormal { mean: SERVICE_S, sigma: 0.62 }),
];

/// What became of the searches of one service, for one number of replicas.
#[derive(Clone, Debug)]
pub(crate) struct Searched {
    /// The replicas.
    pub(crate) replicas: u32,
    /// The users at which P95 is at its goal in a long run with even connections.
    pub(crate) truth: f64,
    /// The capacity of each search; `None` if it was not found.
    pub(crate) capacities: Vec<Option<f64>>,
    /// The probes of each search.
    pub(crate) probes: Vec<usize>,
    /// Searches whose band holds the truth.
    pub(crate) held: u32,
    /// Searches that were confirmed by a probe on each side.
    pub(crate) confirmed: u32,
}

impl Searched {
    /// The share of searches that are right.
    pub(crate) fn right(&self) -> f64 {
        let is_right = |found: &f64| (found / self.truth - 1.0).abs() <= RIGHT;
        self.capacities.iter().flatten().filter(|found| is_right(found)).count() as f64
            / self.capacities.len() as f64
    }

    /// Mean of the capacities that were found.
    pub(crate) fn mean_found(&self) -> f64 {
        let found: Vec<f64> = self.capacities.iter().flatten().copied().collect();
        found.iter().sum::<f64>() / found.len() as f64
    }

    /// Mean number of probes.
    pub(crate) fn mean_probes(&self) -> f64 {
        self.probes.iter().sum::<usize>() as f64 / self.probes.len() as f64
    }
}

/// Searches the same service again and again, with replicas 1, 2 and 4.
pub(crate) fn search_again(service: (&str, Service), connections: &Connections, runs: u64) -> Vec<Searched> {
    let replicas = [1, 2, 4];
    let each = truth_of_one(service);
    let mut searched: Vec<Searched> = replicas
        .into_iter()
        .map(|replicas| Searched {
            replicas,
            truth: each * f64::from(replicas),
            capacities: Vec::new(),
            probes: Vec::new(),
            held: 0,
            confirmed: 0,
        })
        .collect();
    for run in 0..runs {
        for (found, searched) in search_once(service, connections, &replicas, run).iter().zip(&mut searched) {
            searched.probes.push(found.probes);
            let known = match found.capacity {
                Capacity::Known { load, low, high, confirmed, .. } => {
                    searched.held += u32::from(low <= searched.truth && searched.truth <= high);
                    searched.confirmed += u32::from(confirmed);
                    Some(load)
                }
                _ => None,
            };
            searched.capacities.push(known);
        }
    }
    searched
}

/// One search of a service with this spread of the connections.
fn search_once(
    service: (&str, Service),
    connections: &Connections,
    replicas: &[u32],
    run: u64,
) -> Vec<Found> {
    search_cells(replicas, run, |scenario| {
        let mut cell =
            Cell::closed(scenario.replicas as usize, scenario.users as usize, 0.0, service).until_stable();
        cell.simulation.connections = connections.clone();
        cell
    })
}

/// What a search finds about each service that does not answer as a queue does, in a sentence: one that sheds load
/// beyond 14 users, one whose latency does not depend on the load, and one that never meets the objective.
pub(crate) fn sentences_without_a_queue() -> [(&'static str, String); 3] {
    let found = |service: Service, slots: usize, queue_limit: usize| {
        let found = search_cells(&[1], 0, |scenario| {
            let mut cell = Cell::closed(1, scenario.users as usize, 0.0, ("", service)).until_stable();
            (cell.simulation.slots, cell.simulation.queue_limit) = (slots, queue_limit);
            cell
        });
        found.iter().map(Found::to_string).collect()
    };
    [
        ("sheds load beyond 14 users", found(Service::Constant(SERVICE_S), 4, 10)),
        ("has a latency of its own", found(Service::Exponential(SERVICE_S), 2000, usize::MAX)),
        ("is always too slow", found(Service::Constant(0.8), 4, usize::MAX)),
    ]
}

/// One search, with records that the driver's own functions judge. `cell` is the load test of a scenario.
fn search_cells(replicas: &[u32], run: u64, cell: impl Fn(&Scenario) -> Cell) -> Vec<Found> {
    let search = Search {
        mode: Mode::Closed,
        replicas: replicas.to_vec(),
        workers: 1,
        most: 1000.0,
        most_probes: 12,
        most_s: None,
        goal_s: Some(f64::from(P95_MS) / 1000.0),
        pool: None,
        most_pool: 1000,
        wanted: None,
        confirm: false,
        confirmations: 1,
    };
    let plan = SearchPlan { search: search.clone() };
    let mut records: Vec<Record> = Vec::new();
    while let Some(scenario) = plan.next(&outcomes(&JudgedRun::of(&records))) {
        let mut measured = record(&cell(&scenario), 1, 1000 * run + records.len() as u64);
        measured.objective = Objective { p95_ms: Some(P95_MS), ..Objective::default() };
        measured.environment.question = Question { search: Some(search.clone()), ..Question::default() };
        measured.scenario = scenario;
        records.push(measured);
    }
    found(&search, &outcomes(&JudgedRun::of(&records)))
}

/// The users at which P95 of one replica is at its goal, between whole numbers of users by the logarithm.
fn truth_of_one(service: (&str, Service)) -> f64 {
    let p95 = |users: usize| {
        let cell = Cell::closed(1, users, 0.0, service);
        let long = System::simulate(&cell, 1 << 40, LONG_S).interval(0.0, LONG_S);
        long.primary.quantile(0.95).unwrap_or(0) as f64 / 1000.0
    };
    let goal = f64::from(P95_MS);
    let (mut below, mut above) = (16, 48);
    while above - below > 1 {
        let middle = usize::midpoint(below, above);
        *(if p95(middle) > goal { &mut above } else { &mut below }) = middle;
    }
    let (low, high) = (p95(below), p95(above));
    below as f64 + (goal / low).ln() / (high / low).ln()
}
