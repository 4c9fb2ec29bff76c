//! The matrix as text: a cell per scenario, filled by its verdict.

use std::fmt::Write;

use crate::events::PlannedScenario;

/// Replicas and workers stand in this width.
const TITLE: usize = 14;

/// A sign for each kind of verdict, which is the same as in the report.
pub(super) fn sign(status: &str) -> char {
    match status {
        "" => '·',
        "SUCCESS" => '✓',
        "FAILED" | "VOID" | "INFEASIBLE" => '✗',
        _ => '!',
    }
}

/// The lines of the matrix: replicas and workers from top to bottom, loads from left to right, if they fit into `rows`
/// lines of `width` characters; else all scenarios in the order of the plan.
pub(super) fn lines(
    scenarios: &[(PlannedScenario, String)],
    current: Option<usize>,
    width: usize,
    rows: usize,
) -> Vec<String> {
    grid(scenarios, current, width, rows).unwrap_or_else(|| strip(scenarios, current, width, rows))
}

/// The load of a scenario in words.
pub(super) fn load(planned: &PlannedScenario) -> String {
    planned.rate.map_or_else(|| planned.users.to_string(), |rate| format!("{rate}/s"))
}

fn grid(
    scenarios: &[(PlannedScenario, String)],
    current: Option<usize>,
    width: usize,
    rows: usize,
) -> Option<Vec<String>> {
    let mut pods: Vec<(u32, u32)> = Vec::new();
    let mut loads: Vec<String> = Vec::new();
    let mut signs: Vec<(usize, usize, char)> = Vec::new();
    for (at, (planned, status)) in scenarios.iter().enumerate() {
        let row = place(&mut pods, (planned.replicas, planned.workers));
        let column = place(&mut loads, load(planned));
        signs.push((row, column, if current == Some(at) { '▶' } else { sign(status) }));
    }
    let wide = loads.iter().map(String::len).max()?.max(3) + 2;
    if pods.len() + 1 > rows || TITLE + wide * loads.len() > width {
        return None;
    }
    let mut lines = vec![format!("{:TITLE$}", "r × w    users")];
    for load in &loads {
        // A String takes everything that is written to it.
        let _ = write!(lines[0], "{load:>wide$}");
    }
    for (row, (replicas, workers)) in pods.iter().enumerate() {
        let mut line = format!("{:TITLE$}", format!("{replicas} × {workers}"));
        for column in 0..loads.len() {
            // Repeats of a point stand beside each other.
            let cell: String =
                signs.iter().filter(|(r, c, _)| (*r, *c) == (row, column)).map(|(.., sign)| *sign).collect();
            let _ = write!(line, "{cell:>wide$}");
        }
        lines.push(line);
    }
    Some(lines)
}

/// The place of a value among those that are known; a new one gets the next.
fn place<T: PartialEq>(known: &mut Vec<T>, value: T) -> usize {
    known.iter().position(|other| *other == value).unwrap_or_else(|| {
        known.push(value);
        known.len() - 1
    })
}

fn strip(
    scenarios: &[(PlannedScenario, String)],
    current: Option<usize>,
    width: usize,
    rows: usize,
) -> Vec<String> {
    let signs: Vec<char> = scenarios
        .iter()
        .enumerate()
        .map(|(at, (_, status))| if current == Some(at) { '▶' } else { sign(status) })
        .collect();
    let lines: Vec<String> = signs.chunks(width.max(1)).map(|line| line.iter().collect()).collect();
    // The lines around the current scenario.
    let at = current.unwrap_or(0) / width.max(1);
    let from = (at + 1).saturating_sub(rows.max(1));
    lines.into_iter().skip(from).take(rows.max(1)).collect()
}
