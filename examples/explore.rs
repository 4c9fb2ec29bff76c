#![allow(warnings, clippy::all)]
use fake_inference::simulation::*;
use locust_matrix::measure::*;
use records::{Arrivals as Counted, Histogram, Interval, StoppingRule, three_digits};

fn interval(trace: &Trace, from: f64, to: f64, open: bool) -> Interval {
    let mut all = Histogram::default();
    let mut ok = Histogram::default();
    let mut total = 0.0;
    for r in trace.finished_between(from, to) {
        let us = three_digits((r.response() * 1e6).round().max(0.0) as u64);
        total += r.response() * 1000.0;
        *all.0.entry(us).or_default() += 1;
        if r.ok {
            *ok.0.entry(us).or_default() += 1;
        }
    }
    let (a, b) = (trace.counts_at(from), trace.counts_at(to));
    Interval {
        seconds: to - from,
        requests: all.count(),
        total_ms: total,
        primary: all,
        succeeded: Some(ok),
        arrivals: open
            .then(|| Counted { due: (b.due - a.due) as u64, finished: (b.finished - a.finished) as u64 }),
    }
}

struct Out {
    len: f64,
    unsteady: Option<String>,
    over: bool,
    undec: bool,
    q: Option<u64>,
    b: Result<Bounds, NoBounds>,
    extended: bool,
    sect: Option<(f64, f64)>,
}

fn run(sim: &Simulation, dur: f64, until_stable: bool, p: f64) -> Out {
    let open = matches!(sim.load, Load::Open { .. });
    let users = match sim.load {
        Load::Closed { users, .. } => Some(users as u32),
        _ => None,
    };
    let think = match sim.load {
        Load::Closed { think: Think::Exponential(z), .. } => z,
        Load::Closed { think: Think::Constant(z), .. } => z,
        _ => 0.0,
    };
    let rule = StoppingRule {
        users,
        think_s: think,
        duration_s: dur,
        stop_early_after_s: until_stable.then_some(dur / 4.0),
        most_s: 2.0 * dur,
        exact: true,
        agreeing: 5,
        quantiles: vec![p],
    };
    let trace = sim.run();
    let mut iv = Vec::new();
    let mut t = 0.0;
    loop {
        let to = t + interval_s(&rule);
        iv.push(interval(&trace, t, to, open));
        t = to;
        match next(&rule, &iv) {
            Next::Close => break,
            _ => {}
        }
    }
    let from = window_from(&rule, &iv);
    let w = &iv[from..];
    let keeps = KeepsUp::over(&iv);
    let sum = Interval::sum(w);
    let b = bounds_of_run(&rule, w, p);
    Out {
        len: t,
        unsteady: unsteady_because(&rule, &iv),
        over: keeps.is_some_and(|k| k.is_overloaded()),
        undec: keeps.is_some_and(|k| k.is_undecided()),
        q: sum.primary.quantile(p),
        b,
        extended: t > dur * 1.01,
        sect: None,
    }
}

fn repeats(n: u64) {
    for (name, service) in [("const", Service::Constant(0.1)), ("exp", Service::Exponential(0.1))] {
        let mut cells: Vec<(String, Simulation)> = Vec::new();
        for replicas in [1usize, 4] {
            for rho in [0.5, 0.8, 0.9, 0.95] {
                let rate = rho * 40.0 * replicas as f64;
                cells.push((
                    format!("open {name} R{replicas} rho{rho}"),
                    Simulation {
                        load: Load::Open { rate, arrivals: Arrivals::Poisson, users: (rate * 10.0) as usize },
                        replicas,
                        service,
                        connections: Connections::Random,
                        warm_up: 2.0,
                        ..Simulation::default()
                    },
                ));
            }
        }
        for (replicas, users, z) in [(2, 40, 0.0), (4, 80, 0.0), (8, 160, 0.0), (1, 40, 1.0), (2, 60, 1.0)] {
            let think = if z > 0.0 { Think::Exponential(z) } else { Think::None };
            cells.push((
                format!("closed {name} R{replicas} N{users} Z{z} random"),
                Simulation {
                    load: Load::Closed { users, think, ramp: 2.0 },
                    replicas,
                    service,
                    connections: Connections::Random,
                    warm_up: 4.0,
                    ..Simulation::default()
                },
            ));
        }
        for (label, base) in cells {
            for dur in [20.0, 60.0] {
                // truth: mean over many windows of ln q, and the stationary one
                let mut logs = 0.0;
                let m = 150;
                for seed in 0..m {
                    let t = Simulation { seconds: dur, seed: 10_000 + seed, ..base.clone() }.run();
                    logs += (interval(&t, 0.0, dur, false).primary.quantile(0.95).unwrap() as f64).ln();
                }
                let windowed = (logs / m as f64).exp();
                let long = Simulation { seconds: 3000.0, warm_up: 300.0, seed: 999, ..base.clone() }.run();
                let stationary = interval(&long, 0.0, 3000.0, false).primary.quantile(0.95).unwrap() as f64;
                let (mut a, mut b) = (0, 0);
                for k in 0..n {
                    let q: Vec<f64> = (0..5)
                        .map(|r| {
                            let t = Simulation { seconds: dur, seed: 100 * k + r + 1, ..base.clone() }.run();
                            interval(&t, 0.0, dur, false).primary.quantile(0.95).unwrap() as f64
                        })
                        .collect();
                    let bounds = bounds_over_repeats(&q).unwrap();
                    a += bounds.holds(windowed) as u32;
                    b += bounds.holds(stationary) as u32;
                }
                println!(
                    "{label:34} {dur:4.0}s windowed {:8.1} stationary {:8.1} cover windowed {:.2} stationary {:.2}",
                    windowed / 1000.0,
                    stationary / 1000.0,
                    a as f64 / n as f64,
                    b as f64 / n as f64
                );
            }
        }
    }
}

fn main() {
    let n: u64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(100);
    let what = std::env::args().nth(2).unwrap_or("closed".into());
    if what == "repeats" {
        return repeats(n);
    }
    let services = [
        ("const", Service::Constant(0.1)),
        ("exp", Service::Exponential(0.1)),
        ("logn", Service::LogNormal { mean: 0.1, sigma: 0.62 }),
    ];
    for (name, service) in services {
        let mut cells: Vec<(String, Simulation)> = Vec::new();
        if what == "closed" {
            for (replicas, users, z) in [
                (1, 8, 0.0),
                (1, 20, 0.0),
                (1, 40, 0.0),
                (2, 40, 0.0),
                (4, 80, 0.0),
                (8, 160, 0.0),
                (1, 40, 1.0),
                (1, 20, 1.0),
                (2, 60, 1.0),
            ] {
                let think = if z > 0.0 { Think::Exponential(z) } else { Think::None };
                cells.push((
                    format!("closed {name} R{replicas} N{users} Z{z}"),
                    Simulation {
                        load: Load::Closed { users, think, ramp: 2.0 },
                        replicas,
                        service,
                        warm_up: 4.0,
                        ..Simulation::default()
                    },
                ));
            }
        } else {
            for replicas in [1usize, 4] {
                for rho in [0.5, 0.8, 0.9, 0.95, 1.1, 1.25, 1.5] {
                    let rate = rho * 40.0 * replicas as f64;
                    cells.push((
                        format!("open {name} R{replicas} rho{rho}"),
                        Simulation {
                            load: Load::Open {
                                rate,
                                arrivals: Arrivals::Poisson,
                                users: (rate * 10.0) as usize,
                            },
                            replicas,
                            service,
                            warm_up: 2.0,
                            ..Simulation::default()
                        },
                    ));
                }
            }
        }
        for (label, base) in cells {
            for dur in [20.0, 60.0, 120.0] {
                let long = Simulation { seconds: 3000.0, warm_up: 300.0, seed: 999, ..base.clone() };
                let p = 0.95;
                let truth = {
                    let t = long.run();
                    let i = interval(&t, 0.0, 3000.0, false);
                    i.primary.quantile(p).unwrap() as f64
                };
                let (mut printed, mut held, mut uns, mut over, mut ext, mut len, mut undec) =
                    (0, 0, 0, 0, 0, 0.0, 0);
                let mut why = String::new();
                for seed in 0..n {
                    let sim = Simulation { seconds: 2.0 * dur, seed: seed + 1, ..base.clone() };
                    let o = run(&sim, dur, what == "stable", p);
                    if let Ok(b) = o.b {
                        if o.unsteady.is_none() {
                            printed += 1;
                            held += b.holds(truth) as u32;
                        }
                    }
                    if let Some(w) = o.unsteady {
                        uns += 1;
                        why = w;
                    }
                    over += o.over as u32;
                    ext += o.extended as u32;
                    len += o.len;
                    undec += o.undec as u32;
                }
                println!(
                    "{label:28} {dur:4.0}s truth {:7.1} printed {:4} cover {:5.2} unstable {:5.3} over {:5.3} undec {:5.3} extended {:5.2} len {:5.1} {}",
                    truth / 1000.0,
                    printed,
                    held as f64 / printed.max(1) as f64,
                    uns as f64 / n as f64,
                    over as f64 / n as f64,
                    undec as f64 / n as f64,
                    ext as f64 / n as f64,
                    len / n as f64,
                    &why.chars().take(70).collect::<String>()
                );
            }
        }
    }
}
