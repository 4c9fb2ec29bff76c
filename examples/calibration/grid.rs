//! The cells of the calibration.

use crate::library::{Cell, Change, SERVICES};

/// The windows, s.
const WINDOWS: [f64; 3] = [20.0, 60.0, 120.0];
/// Replicas, users and think time (s) of the closed loops: far below, at, and far beyond their knee.
const CLOSED: [(usize, usize, f64); 10] = [
    (1, 8, 0.0),
    (1, 20, 0.0),
    (1, 40, 0.0),
    (2, 40, 0.0),
    (4, 80, 0.0),
    (8, 160, 0.0),
    (1, 20, 1.0),
    (1, 40, 1.0),
    (1, 44, 1.0),
    (2, 60, 1.0),
];
const UTILIZATIONS: [f64; 7] = [0.5, 0.8, 0.9, 0.95, 1.1, 1.25, 1.5];

/// Every cell: about ten minutes with 200 runs on two cores.
pub(crate) fn full() -> Vec<Cell> {
    let mut cells = Vec::new();
    for service in SERVICES {
        let closed = CLOSED.map(|(replicas, users, think_s)| Cell::closed(replicas, users, think_s, service));
        let open = [1, 4]
            .into_iter()
            .flat_map(|replicas| UTILIZATIONS.map(|load| Cell::open(replicas, load, service)));
        for cell in closed.into_iter().chain(open) {
            cells.extend(WINDOWS.map(|window| cell.clone().window(window)));
        }
    }
    for service in SERVICES {
        cells.extend(until_stable(service));
        cells.extend(random(service));
        cells.extend(cold(service));
        cells.extend(changing(service));
        cells.extend(faulty(service));
    }
    cells
}

/// A few cells of each kind.
pub(crate) fn quick() -> Vec<Cell> {
    let service = SERVICES[1];
    let mut cells = vec![
        Cell::closed(1, 20, 0.0, service),
        Cell::closed(1, 40, 1.0, service),
        Cell::open(1, 0.9, service),
        Cell::open(1, 1.1, service),
        Cell::closed(2, 40, 0.0, service).repeats(5).random(),
    ];
    cells.extend(changing(service));
    cells.extend(faulty(service));
    cells
}

fn until_stable(service: (&'static str, fake_inference::simulation::Service)) -> Vec<Cell> {
    let loads =
        [Cell::closed(1, 20, 0.0, service), Cell::closed(1, 40, 1.0, service), Cell::open(1, 0.8, service)];
    loads.into_iter().map(|cell| cell.until_stable().window(120.0)).collect()
}

/// Connections at random: one run, and three or five repeats.
fn random(service: (&'static str, fake_inference::simulation::Service)) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (replicas, users, think_s) in [(2, 40, 0.0), (8, 160, 0.0), (2, 60, 1.0)] {
        let cell = Cell::closed(replicas, users, think_s, service);
        cells.push(cell.clone().random());
        cells.push(cell.clone().repeats(3).random());
        cells.extend([20.0, 60.0].map(|window| cell.clone().repeats(5).random().window(window)));
    }
    for (replicas, load) in [(1, 0.8), (1, 0.95), (4, 0.5), (4, 0.9)] {
        let cell = Cell::open(replicas, load, service).repeats(5).random();
        cells.extend([20.0, 60.0].map(|window| cell.clone().window(window)));
    }
    cells
}

fn cold(service: (&'static str, fake_inference::simulation::Service)) -> Vec<Cell> {
    [0.9, 0.95]
        .into_iter()
        .flat_map(|load| [20.0, 60.0].map(|window| Cell::open(1, load, service).cold().window(window)))
        .collect()
}

fn changing(service: (&'static str, fake_inference::simulation::Service)) -> Vec<Cell> {
    let loads =
        [Cell::closed(1, 20, 0.0, service), Cell::closed(1, 20, 1.0, service), Cell::open(1, 0.5, service)];
    let slows = loads.into_iter().map(|cell| cell.changing(Change::SlowsDown(1.5)));
    let warms = [0.05, 0.2]
        .map(|time| Cell::closed(1, 20, 0.0, service).changing(Change::WarmsUp { factor: 4.0, time }));
    let cells: Vec<Cell> = slows.chain(warms).collect();
    cells.iter().flat_map(|cell| [20.0, 60.0].map(|window| cell.clone().window(window))).collect()
}

fn faulty(service: (&'static str, fake_inference::simulation::Service)) -> Vec<Cell> {
    vec![
        Cell::closed(1, 80, 1.0, service).sheds(20),
        Cell::open(1, 1.1, service).sheds(20),
        Cell::open(1, 1.5, service).sheds(20),
        Cell::closed(2, 40, 1.0, service).split(vec![34, 6]),
        Cell::closed(2, 60, 0.0, service).split(vec![50, 10]),
    ]
}
