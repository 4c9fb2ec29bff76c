//! The matrix by verdict.

use crate::events::many;
use crate::judge::{Row, Verdict};
use crate::report::document::chart::{HeatCell, HeatMap, HeatRow};

/// A point of the matrix, with the row of its worst repeat.
struct PointOfMatrix<'r, 'a> {
    pods: (u32, u32),
    load: f64,
    worst: &'r Row<'a>,
}

/// The map of the rows of one model.
pub(in crate::report::document) fn matrix(id: &'static str, rows: &[Row<'_>]) -> HeatMap {
    let points = worst_of_points(rows);
    let mut pods: Vec<_> = points.iter().map(|point| point.pods).collect();
    pods.sort_unstable();
    pods.dedup();
    let mut loads: Vec<f64> = points.iter().map(|point| point.load).collect();
    loads.sort_by(f64::total_cmp);
    loads.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let is_open = rows.first().is_some_and(Row::is_open);
    let heat_row = |of: &(u32, u32)| {
        let cell = |load: &f64| {
            let here =
                |point: &&PointOfMatrix<'_, '_>| point.pods == *of && point.load.total_cmp(load).is_eq();
            points.iter().find(here).map(|point| cell(point.worst))
        };
        let title = format!("{} · {}", many(of.0, "replica"), many(of.1, "worker"));
        HeatRow { title, cells: loads.iter().map(cell).collect() }
    };
    let unit = if is_open { "requests/s" } else { "users" };
    let mut columns: Vec<String> = loads.iter().map(f64::to_string).collect();
    // The caption has the unit, too. Beside the first load, there is room for it if the columns are few.
    if let Some(first) = columns.first_mut().filter(|_| loads.len() < 8) {
        *first = format!("{first} {unit}");
    }
    HeatMap {
        id,
        title: "The matrix by verdict".into(),
        caption: format!(
            "A cell per point, with its verdict (the worst of its repeats) and its P95: replicas and workers from top \
             to bottom, {unit} from left to right."
        ),
        description: counts(&points),
        columns,
        rows: pods.iter().map(heat_row).collect(),
    }
}

fn worst_of_points<'r, 'a>(rows: &'r [Row<'a>]) -> Vec<PointOfMatrix<'r, 'a>> {
    let mut points: std::collections::BTreeMap<String, PointOfMatrix<'r, 'a>> =
        std::collections::BTreeMap::new();
    for row in rows {
        let scenario = &row.record.scenario;
        let load = scenario.rate.unwrap_or_else(|| f64::from(scenario.users));
        let new = PointOfMatrix { pods: (scenario.replicas, scenario.workers), load, worst: row };
        let known = points.entry(scenario.point_id()).or_insert(new);
        if row.judgement.verdict < known.worst.judgement.verdict {
            known.worst = row;
        }
    }
    points.into_values().collect()
}

fn cell(row: &Row<'_>) -> HeatCell {
    let verdict = row.judgement.verdict;
    let figure = row.p95_in_ms().map_or("no P95".to_owned(), |p95| format!("P95 {p95} ms"));
    let reason = row.judgement.reasons.first().map_or(String::new(), |reason| format!(": {reason}"));
    HeatCell {
        verdict,
        title: format!("{}: {}{reason}; {figure}", row.name(), verdict.status()),
        figure,
        scenario: row.record.scenario.id.clone(),
    }
}

/// How many points have each verdict.
fn counts(points: &[PointOfMatrix<'_, '_>]) -> String {
    let mut verdicts: Vec<Verdict> = points.iter().map(|point| point.worst.judgement.verdict).collect();
    verdicts.sort_unstable();
    let each = verdicts
        .chunk_by(|a, b| a == b)
        .filter_map(|same| Some(format!("{} {}", same.len(), same.first()?.status())));
    format!("{}.", each.collect::<Vec<_>>().join(", "))
}
