//! `load-performance.json`, which GitLab's merge requests compare: the part of k6's summary that they read.

use serde_json::json;

use crate::judge::{Check, JudgedRun, Row, checks, of_the_whole_run};
use crate::plan::Meets;

/// The bytes of the file. Its figures are those of the last point of the plan whose goals decide, so that the same matrix
/// compares the same point: of its valid row with the median P95. All of them are null if none of its rows is valid.
pub(super) fn render(run: &JudgedRun<'_>) -> Vec<u8> {
    let checks: &[Check] = checks(run);
    // Of a search, the answer decides, which has no row of its own unless it was confirmed.
    let any_decides = checks.iter().any(|check| check.is_gated && !check.scenarios.is_empty());
    let deciding = |id: &String| {
        if !any_decides {
            return true;
        }
        let mut about = checks.iter().filter(|check| check.scenarios.contains(id)).peekable();
        about.peek().is_none() || about.any(|check| check.is_gated)
    };
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    let is_deciding = |row: &&Row<'_>| !row.record.scenario.drift && deciding(&row.record.scenario.id);
    let last = rows.iter().rev().find(is_deciding);
    let point = last.map(|row| row.record.scenario.point_id());
    let is_usable = |row: &&Row<'_>| {
        let scenario = &row.record.scenario;
        row.is_valid() && !scenario.drift && point.as_ref() == Some(&scenario.point_id())
    };
    let mut valid: Vec<&Row<'_>> = rows.iter().filter(is_usable).collect();
    valid.sort_by(|a, b| a.compare_p95(b));
    let row = valid.get(valid.len().saturating_sub(1) / 2).copied();
    let ms =
        |q: f64| row.and_then(|row| row.percentile_us(q)).filter(|us| us.is_finite()).map(|us| us / 1000.0);
    let figures = row.and_then(|row| row.primary);
    let latency = json!({
        "avg": figures.and_then(|figures| figures.mean_ms),
        "med": ms(0.5),
        "p(90)": ms(0.9),
        "p(95)": ms(0.95),
        "p(99)": ms(0.99),
    });
    let unknown_passes = run.unknown_passes();
    let gated = || checks.iter().filter(|check| check.is_gated);
    let passes = gated()
        .filter(|check| check.meets == Meets::Met || (check.meets == Meets::Unknown && unknown_passes))
        .count();
    // As the exit code, it also fails by rows without figures and by what belongs to no goal.
    let without_figures = run.rows.iter().filter(|row| row.has_failed()).count();
    let fails = gated().count() - passes + without_figures + of_the_whole_run(run).len();
    let share = if passes + fails > 0 { passes as f64 / (passes + fails) as f64 } else { 1.0 };
    let counts = row.and_then(|row| row.counts);
    let document = json!({
        "metrics": {
            "checks": {"passes": passes, "fails": fails, "value": share},
            "http_reqs": {"count": counts.map(|counts| counts.requests), "rate": figures.map(|figures| figures.rps)},
            "http_req_duration": latency,
            "http_req_waiting": latency,
            "http_req_failed": {"value": figures.and_then(|figures| figures.failures_pct).map(|share| share / 100.0)},
        },
        "scenario": row.or(last).map(|row| &row.record.scenario.id),
    });
    serde_json::to_vec_pretty(&document).unwrap_or_default()
}
