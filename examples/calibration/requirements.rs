//! What is required of the method, and the cells that miss it.

use locust_matrix::judge::Verdict;

use crate::library::cell::Kind;
use crate::library::{Calibration, Coverage, FIGURES};

/// Least share of printed intervals that hold the truth.
const COVERAGE: f64 = 0.90;
/// Fewest printed intervals that say something about their coverage.
const ENOUGH: u32 = 20;
/// Mean responses that a window must last before UNSTABLE is false.
const RESPONSES: f64 = 20.0;

/// The requirements with the cells that miss them.
pub(crate) fn markdown(found: &[Calibration]) -> String {
    let stationary: Vec<&Calibration> =
        found.iter().filter(|one| one.cell.kind == Kind::Stationary).collect();
    let loaded = |least: f64, most: f64| {
        found.iter().filter(move |one| {
            matches!(one.cell.kind, Kind::Stationary | Kind::Overloaded)
                && one.cell.utilization().is_some_and(|load| load > least && load < most)
        })
    };
    let verdict = |one: &Calibration, verdict: Verdict| {
        format!("{} in {:.1} %", verdict.status(), 100.0 * one.share(verdict))
    };
    let covers = |of: fn(&Calibration) -> [Coverage; FIGURES.len()]| -> Vec<String> {
        stationary.iter().flat_map(|one| uncovered(one, of(one))).collect()
    };
    let long = stationary.iter().filter(|one| one.cell.duration_s >= RESPONSES * one.response_s);
    let missed = [
        ("intervals of VALID rows hold the truth in at least 90 %", covers(|one| one.valid)),
        (
            "intervals of single rows with any verdict hold the truth in at least 90 %",
            covers(|one| one.shown),
        ),
        (
            "OVERLOADED in at least 99 % of windows at 1.1 × the capacity or more",
            missing(
                loaded(1.05, 9.0),
                |one| one.share(Verdict::Overloaded) < 0.99,
                |one| verdict(one, Verdict::Overloaded),
            ),
        ),
        (
            "OVERLOADED in at most 1 % of windows at 0.9 × the capacity or less",
            missing(
                loaded(0.0, 0.92),
                |one| one.share(Verdict::Overloaded) > 0.01,
                |one| verdict(one, Verdict::Overloaded),
            ),
        ),
        (
            "UNSTABLE in at most 5 % of stationary windows of at least 20 mean responses",
            missing(
                long.copied(),
                |one| one.share(Verdict::Unstable) > 0.05,
                |one| verdict(one, Verdict::Unstable),
            ),
        ),
        (
            "at most 5 % of the rows of a changing service are VALID with a window that has both services",
            missing(
                found.iter(),
                |one| one.mixed_share() > 0.05,
                |one| format!("{:.1} %", 100.0 * one.mixed_share()),
            ),
        ),
    ];
    let lines = missed.into_iter().flat_map(|(requirement, cells)| {
        let met =
            if cells.is_empty() { "met".to_owned() } else { format!("missed by {} cells:", cells.len()) };
        let cells = cells.into_iter().map(|cell| format!("  - {cell}"));
        std::iter::once(format!("- {requirement}: {met}")).chain(cells).collect::<Vec<_>>()
    });
    format!("## Requirements\n\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

fn missing<'a>(
    found: impl Iterator<Item = &'a Calibration>,
    misses: fn(&Calibration) -> bool,
    figure: impl Fn(&Calibration) -> String,
) -> Vec<String> {
    found.filter(|one| misses(one)).map(|one| format!("{}: {}", name(one), figure(one))).collect()
}

fn uncovered(one: &Calibration, coverages: [Coverage; FIGURES.len()]) -> Vec<String> {
    let figures = FIGURES.into_iter().zip(coverages);
    let missed = figures.filter_map(|((figure, _), coverage)| {
        let share = coverage.share().filter(|share| *share < COVERAGE && coverage.printed >= ENOUGH)?;
        Some(format!("{}: {figure} {:.1} % of {}", name(one), 100.0 * share, coverage.printed))
    });
    missed.collect()
}

fn name(one: &Calibration) -> String {
    format!("{}, {:.0} s", one.cell.name, one.cell.duration_s)
}
