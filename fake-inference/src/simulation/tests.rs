use super::mmc::Mmc;
use super::*;
use crate::closed_loop::theory::Loop;

fn near(found: f64, expected: f64, share: f64, what: &str) {
    assert!((found / expected - 1.0).abs() <= share, "{what}: {found}, expected {expected}");
}

/// Throughput (1/s), mean response (s) and sorted responses of all requests after the warm-up.
fn figures(setup: &Simulation, trace: &Trace) -> (f64, f64, Vec<f64>) {
    let window = trace.finished_between(0.0, setup.seconds);
    let mut responses: Vec<f64> = window.iter().map(Request::response).collect();
    responses.sort_by(f64::total_cmp);
    let mean = responses.iter().sum::<f64>() / responses.len() as f64;
    (responses.len() as f64 / setup.seconds, mean, responses)
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn open(rate: f64, users: usize) -> Load {
    Load::Open { rate, arrivals: Arrivals::Poisson, users }
}

#[test]
fn an_open_load_agrees_with_m_m_c() {
    for (rate, slots, tolerance) in [(5.0, 1, 0.02), (20.0, 4, 0.01), (32.0, 4, 0.03)] {
        let theory = Mmc { rate, slots, service: 0.1 };
        let setup = Simulation {
            load: open(rate, 2000),
            slots: slots as usize,
            warm_up: 100.0,
            seconds: 20_000.0,
            seed: 3,
            ..Simulation::default()
        };
        let (throughput, mean, responses) = figures(&setup, &setup.run());
        near(throughput, rate, 0.01, "throughput");
        near(mean, theory.response(), tolerance, "mean");
        for percent in [50, 95, 99] {
            let expected = theory.quantile(percent as f64 / 100.0);
            near(quantile(&responses, percent), expected, 1.5 * tolerance, "quantile");
        }
    }
}

#[test]
fn a_closed_load_agrees_with_the_machine_repair_model_whatever_the_think_time() {
    for users in [4, 12, 24] {
        let theory = Loop { users, slots: 4, service: 0.1, think: 0.2 }.exponential();
        for think in [Think::Constant(0.2), Think::Exponential(0.2)] {
            let setup = Simulation {
                load: Load::Closed { users: users as usize, think, ramp: 1.0 },
                warm_up: 20.0,
                seconds: 4000.0,
                ..Simulation::default()
            };
            let (throughput, mean, _) = figures(&setup, &setup.run());
            near(throughput, theory.throughput, 0.01, "throughput");
            near(mean, theory.response, 0.015, "mean");
        }
    }
}

#[test]
fn every_request_obeys_the_order_of_its_times_and_littles_law_holds() {
    for load in [Load::Closed { users: 40, think: Think::Exponential(0.3), ramp: 2.0 }, open(60.0, 30)] {
        let setup = Simulation {
            load,
            replicas: 2,
            service: Service::LogNormal { mean: 0.1, sigma: 0.8 },
            connections: Connections::Random,
            warm_up: 10.0,
            seconds: 1000.0,
            ..Simulation::default()
        };
        let trace = setup.run();
        assert!(trace.requests.is_sorted_by(|a, b| a.finished_s <= b.finished_s));
        assert!(trace.requests.iter().all(|r| r.due_s <= r.started_s && r.started_s <= r.finished_s));
        let (throughput, ..) = figures(&setup, &trace);
        let window = trace.finished_between(0.0, setup.seconds);
        let in_service = window.iter().map(|r| r.finished_s - r.started_s).sum::<f64>() / window.len() as f64;
        let samples = 20_000;
        let under_way = (0..samples)
            .map(|n| trace.counts_at(setup.seconds * f64::from(n) / f64::from(samples)).under_way());
        let mean = under_way.sum::<usize>() as f64 / f64::from(samples);
        near(mean, throughput * in_service, 0.01, "Little's law");
    }
}

#[test]
fn a_log_normal_service_has_its_mean_and_sigma() {
    let setup = Simulation {
        load: Load::Closed { users: 1, think: Think::None, ramp: 0.0 },
        service: Service::LogNormal { mean: 0.05, sigma: 0.6 },
        seconds: 5000.0,
        ..Simulation::default()
    };
    let (_, mean, responses) = figures(&setup, &setup.run());
    near(mean, 0.05, 0.01, "mean");
    // The median is exp(μ) = mean / exp(σ²/2), and P84.13 is one σ above it.
    near(quantile(&responses, 50), 0.05 / 0.18_f64.exp(), 0.01, "median");
    let at = responses.len() * 8413 / 10_000;
    near((responses[at] / quantile(&responses, 50)).ln(), 0.6, 0.02, "sigma");
}

#[test]
fn full_replicas_serve_equally_much_and_the_busier_one_answers_later() {
    let setup = Simulation {
        load: Load::Closed { users: 60, think: Think::None, ramp: 1.0 },
        replicas: 2,
        connections: Connections::Given(vec![40, 20]),
        warm_up: 20.0,
        seconds: 500.0,
        ..Simulation::default()
    };
    let trace = setup.run();
    assert_eq!(trace.users, [40, 20]);
    let window = trace.finished_between(0.0, setup.seconds);
    for (replica, response) in [(0, 1.0), (1, 0.5)] {
        let own: Vec<f64> = window.iter().filter(|r| r.replica == replica).map(Request::response).collect();
        near(own.len() as f64 / setup.seconds, 40.0, 0.02, "throughput");
        near(own.iter().sum::<f64>() / own.len() as f64, response, 0.02, "response");
    }
}

#[test]
fn users_are_spread_evenly_or_at_random() {
    let users = |connections, seed| {
        let load = Load::Closed { users: 403, think: Think::None, ramp: 0.0 };
        Simulation { load, replicas: 4, connections, seconds: 0.0, seed, ..Simulation::default() }.run().users
    };
    assert_eq!(users(Connections::Even, 1), [101, 101, 101, 100]);
    let (one, other) = (users(Connections::Random, 1), users(Connections::Random, 2));
    assert_ne!(one, other);
    for split in [one, other] {
        assert_eq!(split.iter().sum::<usize>(), 403);
        // 100 ± 5 standard deviations of 8.7.
        assert!(split.iter().all(|own| (57..=144).contains(own)), "{split:?}");
    }
}

#[test]
fn an_arrival_that_finds_no_free_user_waits_for_one() {
    let setup = Simulation {
        load: Load::Open { rate: 20.0, arrivals: Arrivals::Constant, users: 1 },
        service: Service::Constant(0.1),
        seconds: 10.0,
        ..Simulation::default()
    };
    // One user can do 10/s: half of the arrivals are never sent.
    let trace = setup.run();
    let end = trace.counts_at(setup.seconds);
    assert!((198..=200).contains(&end.due) && (99..=101).contains(&end.started), "{end:?}");
    assert_eq!(trace.requests.len(), end.started);
    assert!(end.under_way() <= 1);
    let last = trace.requests[trace.requests.len() - 1];
    assert!(last.started_s - last.due_s > 4.5, "{last:?}");
}

#[test]
fn requests_beyond_the_queue_limit_are_shed_and_a_share_of_the_others_fails() {
    let setup = Simulation {
        load: Load::Open { rate: 80.0, arrivals: Arrivals::Poisson, users: 1000 },
        service: Service::Constant(0.1),
        queue_limit: 5,
        failures: 0.1,
        warm_up: 5.0,
        seconds: 500.0,
        ..Simulation::default()
    };
    let trace = setup.run();
    let window = trace.finished_between(0.0, setup.seconds);
    let (shed, served): (Vec<Request>, Vec<Request>) = window.iter().partition(|r| r.response() < 0.01);
    assert!(shed.iter().all(|r| !r.ok && (r.response() - SHED_SECONDS).abs() < 1e-6));
    near(served.len() as f64 / setup.seconds, 40.0, 0.02, "served");
    // At most 5 wait before a request, which are two rounds of four slots.
    assert!(served.iter().all(|r| r.response() < 0.3001));
    let failed = served.iter().filter(|r| !r.ok).count() as f64;
    near(failed, 0.1 * served.len() as f64, 0.05, "failed");
}

#[test]
fn the_warm_up_fills_the_system_before_time_0() {
    let cold = Simulation { load: open(36.0, 1000), seconds: 10.0, ..Simulation::default() };
    let warm = Simulation { warm_up: 300.0, ..cold.clone() };
    assert_eq!(cold.run().counts_at(0.0), Counts { due: 0, started: 0, finished: 0 });
    let before = warm.run().counts_at(0.0);
    assert!(before.finished > 10_000 && before.due >= before.started, "{before:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let run = |seed| Simulation { load: open(30.0, 100), seed, ..Simulation::default() }.run().requests;
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
