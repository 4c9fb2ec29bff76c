//! Intervals and verdicts on simulated load tests with a known truth: a reduced form of
//! `cargo xtask bench calibration`, with the same code.
//!
//! The random numbers are the same in each run of these tests, so that they pass always or never. The bounds leave
//! room for another choice of random numbers: three binomial standard errors, √(p (1 − p) / n), below 95 % or above
//! 5 %. A method that holds its promise misses such a bound once in 700 choices.

#[path = "calibration/library.rs"]
mod library;

use library::{Calibration, Cell, Change, Coverage, FIGURES, SERVICES, calibrate};
use locust_matrix::judge::Verdict;

const CONSTANT: usize = 0;
const EXPONENTIAL: usize = 1;
const LOG_NORMAL: usize = 2;

/// Three standard errors of a share of `n`.
fn three_errors(share: f64, n: u32) -> f64 {
    3.0 * (share * (1.0 - share) / f64::from(n)).sqrt()
}

/// Checks each figure: nearly all runs print an interval, and this share of the intervals holds the truth.
fn assert_covered(found: &Calibration, share: f64) {
    for ((figure, _), coverage) in FIGURES.into_iter().zip(found.valid) {
        let (name, Coverage { printed, held, .. }) = (&found.cell.name, coverage);
        assert!(f64::from(printed) >= 0.95 * f64::from(found.runs), "{name}, {figure}: {printed}");
        let least = share - three_errors(share, printed);
        assert!(coverage.share() >= Some(least), "{name}, {figure}: {held} of {printed} hold the truth");
    }
}

fn assert_at_least(found: &Calibration, verdict: Verdict, least: f64) {
    let share = found.share(verdict);
    assert!(share >= least, "{}: {} in {share}", found.cell.name, verdict.status());
}

fn assert_at_most(found: &Calibration, verdict: Verdict, most: f64) {
    let share = found.share(verdict);
    assert!(share <= most, "{}: {} in {share}", found.cell.name, verdict.status());
}

#[test]
fn the_interval_of_one_closed_run_holds_the_truth_and_is_not_too_wide() {
    // 30 s are more than 40 mean responses, which an interval of P99 needs. P95 of such a window varies by about 4 %,
    // so that an interval of ± 15 % would be worth little.
    let busy = calibrate(&Cell::closed(1, 20, 0.0, SERVICES[EXPONENTIAL]).window(30.0), 200);
    assert_covered(&busy, 0.95);
    assert!(busy.valid[1].half_width() < 0.15, "{}", busy.valid[1].half_width());
    let thinking = calibrate(&Cell::closed(1, 20, 1.0, SERVICES[LOG_NORMAL]).window(60.0), 60);
    assert_covered(&thinking, 0.95);
}

#[test]
fn the_interval_over_repeats_holds_the_truth_although_connections_fall_at_random() {
    let cell = Cell::closed(2, 40, 0.0, SERVICES[EXPONENTIAL]).repeats(5).random();
    assert_covered(&calibrate(&cell, 40), 0.95);
}

#[test]
fn one_run_of_the_open_model_has_no_interval_of_a_percentile() {
    let found = calibrate(&Cell::open(1, 0.5, SERVICES[EXPONENTIAL]), 20);
    assert_at_least(&found, Verdict::Valid, 0.8);
    let printed: Vec<u32> = found.valid.iter().take(3).map(|coverage| coverage.printed).collect();
    assert_eq!(printed, [0, 0, 0]);
}

#[test]
fn a_rate_above_the_capacity_is_found_and_one_below_it_is_not_blamed() {
    // The growth of 60 s at 1.1 is nine standard deviations of chance, that of 20 s at 1.5 is twelve.
    for (load, window) in [(1.1, 60.0), (1.5, 20.0)] {
        let found = calibrate(&Cell::open(4, load, SERVICES[EXPONENTIAL]).cold().window(window), 15);
        assert_at_least(&found, Verdict::Overloaded, 0.99);
    }
    // 1 % of 100 are 1 ± 1.
    let below = calibrate(&Cell::open(1, 0.9, SERVICES[EXPONENTIAL]), 100);
    assert_at_most(&below, Verdict::Overloaded, 0.04);
}

#[test]
fn a_stationary_service_is_seldom_called_unstable() {
    let cells = [
        Cell::closed(1, 20, 0.0, SERVICES[EXPONENTIAL]),
        Cell::closed(1, 20, 1.0, SERVICES[LOG_NORMAL]),
        Cell::open(1, 0.8, SERVICES[EXPONENTIAL]),
    ];
    for cell in cells {
        let found = calibrate(&cell, 100);
        assert!(cell.duration_s >= 20.0 * found.response_s, "{}: too short", cell.name);
        assert_at_most(&found, Verdict::Unstable, 0.05 + three_errors(0.05, 100));
    }
}

#[test]
fn a_measurement_that_may_end_early_is_shorter_and_its_interval_holds_the_truth() {
    let found = calibrate(&Cell::closed(1, 20, 0.0, SERVICES[EXPONENTIAL]).until_stable().window(120.0), 40);
    assert!(found.mean_s() < 100.0, "{}", found.mean_s());
    // The early end selects windows that look calmer than they are: this costs a few percent of coverage.
    assert_covered(&found, 0.90);
}

#[test]
fn a_service_that_changes_is_unstable_or_measured_after_its_change() {
    let constant = SERVICES[CONSTANT];
    let warms_up = |time| Change::WarmsUp { factor: 4.0, time };
    let cells = [
        Cell::closed(1, 20, 0.0, constant).changing(Change::SlowsDown(1.5)),
        Cell::open(1, 0.5, constant).changing(Change::SlowsDown(1.5)).window(60.0),
        Cell::closed(1, 20, 0.0, constant).changing(warms_up(0.2)),
        Cell::closed(1, 20, 0.0, SERVICES[EXPONENTIAL]).changing(warms_up(0.05)),
    ];
    for cell in cells {
        let found = calibrate(&cell, 60);
        let share = found.mixed_share();
        assert!(share <= 0.05 + three_errors(0.05, 60), "{}: {share} mix both services", found.cell.name);
    }
}

#[test]
fn a_service_that_sheds_load_and_a_replica_with_most_users_are_found() {
    let sheds = calibrate(&Cell::open(1, 1.5, SERVICES[CONSTANT]).sheds(20), 20);
    assert_at_least(&sheds, Verdict::Errors, 1.0);
    let uneven = calibrate(&Cell::closed(2, 40, 1.0, SERVICES[EXPONENTIAL]).split(vec![34, 6]), 20);
    assert_at_least(&uneven, Verdict::Imbalanced, 1.0);
}
