//! How much each number of replicas carries, beside a line in proportion to the replicas.

use records::{Mode, ms};

use crate::events::many;
use crate::judge::{Answer, Goal, GoalOutcome, JudgedRun, Point, goodput_of_point, outcome_of};
use crate::plan::{Capacity, Found, at_least, at_most};
use crate::report::document::chart::{Axis, Chart, Mark, Panel, Scale, Series, SeriesKind};
use crate::report::document::objective::has_goals;
use crate::report::document::{Block, Cell, Column, Section, Sentence, Table};

/// What some replicas carry.
struct Carried {
    replicas: u32,
    value: f64,
    /// The band; the upper end is infinite if nothing above was measured.
    band: (f64, f64),
    /// How the value was found.
    how: String,
    rows: Vec<String>,
}

/// What a value is.
struct Measure {
    title: &'static str,
    unit: &'static str,
    /// What the value is, in a sentence.
    meaning: String,
}

impl Measure {
    fn axis(&self) -> Axis {
        match self.unit {
            "users" => Axis::of(self.title, Scale::FromZero),
            unit => Axis::measured(self.title, unit, Scale::FromZero),
        }
    }
}

/// The chart of capacities; `None` if no number of replicas has a value.
pub(in crate::report::document) fn capacity(
    run: &JudgedRun<'_>,
    points: &[Point<'_, '_>],
) -> Option<Section> {
    let (measure, carried) = match Answer::of(run) {
        Some(answer) => of_search(&answer, run),
        None if has_goals(run) => of_objective(run, points),
        None => of_throughput(points),
    };
    let first = carried.first()?;
    let mut table = Table::new(vec![
        Column::numbers("Replicas"),
        Column::measured(measure.title, measure.unit),
        Column::measured("From", measure.unit),
        Column::measured("To", measure.unit),
        Column::numbers("Of the linear line, %"),
        Column::words("How it was found"),
    ]);
    for one in &carried {
        let line = first.value / f64::from(first.replicas) * f64::from(one.replicas);
        table.rows.push(crate::report::document::TableRow {
            scenarios: one.rows.clone(),
            cells: vec![
                Cell::Count(one.replicas.into()),
                Cell::number(Some(one.value), 1),
                Cell::number(Some(one.band.0), 1),
                Cell::number(Some(one.band.1).filter(|high| high.is_finite()), 1),
                Cell::number((line > 0.0).then(|| 100.0 * one.value / line), 0),
                Cell::text(&one.how),
            ],
        });
    }
    let said = said(&carried, measure.unit);
    let mut caption =
        "The dashed line is what the fewest measured replicas carry, in proportion: a service that scales \
                       perfectly stays on it."
            .to_owned();
    if carried.iter().any(|one| one.band.1.is_infinite()) {
        caption += " An arrow means that no higher load missed the objective: these replicas may carry more.";
    }
    let chart = Chart {
        id: "capacity".into(),
        title: format!("{} by replicas", measure.title),
        caption,
        description: said.clone(),
        x: Axis::of("Replicas", Scale::FromZero),
        panels: vec![Panel {
            y: measure.axis(),
            series: vec![linear(first, &carried), measured(&carried, measure.unit)],
            limit: None,
        }],
        spans: Vec::new(),
        table,
    };
    let rows = carried.iter().flat_map(|one| one.rows.clone()).collect();
    let text = format!("{} {said}", measure.meaning);
    let blocks = vec![Block::Paragraph(Sentence { text, rows }), Block::Chart(Box::new(chart))];
    Some(Section::new("capacity", "Capacity by replicas", blocks))
}

fn measured(carried: &[Carried], unit: &str) -> Series {
    let marks = carried.iter().map(|one| Mark {
        band: Some(one.band),
        title: format!(
            "{}: {} {unit}, {}; {}",
            many(one.replicas, "replica"),
            short(one.value),
            band(one.band),
            one.how
        ),
        scenario: one.rows.last().cloned(),
        ..Mark::at(f64::from(one.replicas), one.value)
    });
    Series { name: "measured".into(), look: 0, dash: 0, kind: SeriesKind::Points, marks: marks.collect() }
}

/// The line in proportion to the replicas, through the fewest.
fn linear(first: &Carried, carried: &[Carried]) -> Series {
    let each = first.value / f64::from(first.replicas.max(1));
    let most = carried.iter().map(|one| one.replicas).max().unwrap_or(first.replicas);
    let points = [(0.0, 0.0), (f64::from(most), each * f64::from(most))];
    let line = Series::line("linear, from the fewest replicas", 5, points);
    Series { dash: 1, kind: SeriesKind::Reference, ..line }
}

fn said(carried: &[Carried], unit: &str) -> String {
    let each: Vec<_> = carried
        .iter()
        .map(|one| {
            let or_more = if one.band.1.is_finite() { "" } else { " or more" };
            format!("{} {}{or_more}", many(one.replicas, "replica"), short(one.value))
        })
        .collect();
    format!("{}, in {unit}.", each.join(", "))
}

fn band((low, high): (f64, f64)) -> String {
    if high.is_finite() {
        format!("{} to {}", short(low), short(high))
    } else {
        format!("{} or more", short(low))
    }
}

/// A load without decimals that say nothing.
fn short(value: f64) -> String {
    if value >= 100.0 || (value - value.round()).abs() < 0.05 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

fn goals(run: &JudgedRun<'_>) -> String {
    let goals = run.rows.first().map(|row| Goal::all(&row.record.objective)).unwrap_or_default();
    goals.iter().map(Goal::to_string).collect::<Vec<_>>().join(" and ")
}

fn of_search(answer: &Answer, run: &JudgedRun<'_>) -> (Measure, Vec<Carried>) {
    let (title, unit) = match answer.search.mode {
        Mode::Closed => ("Users carried", "users"),
        Mode::Open => ("Rate carried", "requests/s"),
    };
    let mode = answer.search.mode;
    let of = |found: &Found| {
        let (value, band, how) = match &found.capacity {
            Capacity::Known { load, low, high, confirmed, .. } => {
                let how = if *confirmed { "confirmed by a pair of probes" } else { "estimated" };
                let (low, high) = (at_least(mode, *low), at_most(mode, *high));
                (at_least(mode, *load), (low, high), how)
            }
            Capacity::AtLeast { load, .. } => {
                let load = at_least(mode, *load);
                (load, (load, f64::INFINITY), "nothing greater was measured")
            }
            Capacity::NeverMet { .. } | Capacity::Unknown { .. } => return None,
        };
        let probes = run.rows.iter().filter(|row| row.record.scenario.replicas == found.replicas);
        let rows = probes.map(|row| row.record.scenario.id.clone()).collect();
        let how = format!("{how} ({})", many(u32::try_from(found.probes).unwrap_or(u32::MAX), "probe"));
        Some(Carried { replicas: found.replicas, value, band, how, rows })
    };
    let mut carried: Vec<_> = answer.found.iter().filter_map(of).collect();
    carried.sort_by_key(|one| one.replicas);
    let meaning = format!("The most that meets {}, with the band in which it lies.", answer.goals);
    (Measure { title, unit, meaning }, carried)
}

/// The most users of the grid that meet the objective, up to the fewest that miss it.
fn of_objective(run: &JudgedRun<'_>, points: &[Point<'_, '_>]) -> (Measure, Vec<Carried>) {
    let closed: Vec<_> = points.iter().filter(|point| !point.is_open()).collect();
    let is_open = closed.is_empty();
    let points: Vec<_> = if is_open { points.iter().collect() } else { closed };
    let outcome = |point: &Point<'_, '_>| {
        point.first().map_or(GoalOutcome::Met, |row| outcome_of(point, &row.record.objective))
    };
    let judged: Vec<_> = points.into_iter().map(|point| (point, outcome(point))).collect();
    let carried = replicas_of(judged.iter().map(|(point, _)| *point)).into_iter().filter_map(|replicas| {
        let same = || judged.iter().filter(move |(point, _)| point.replicas() == replicas);
        let met = same().filter(|(_, outcome)| *outcome == GoalOutcome::Met);
        let (best, _) = met.max_by(|a, b| a.0.load().total_cmp(&b.0.load()))?;
        let beyond =
            same().filter(|(point, outcome)| *outcome == GoalOutcome::Missed && point.load() > best.load());
        let high = beyond.map(|(point, _)| point.load()).fold(f64::INFINITY, f64::min);
        let how = if high.is_finite() {
            format!("met with {}, missed with {}", short(best.load()), short(high))
        } else {
            format!("met with {}; no higher load is known to miss", short(best.load()))
        };
        let rows = best.rows.iter().map(|row| row.record.scenario.id.clone()).collect();
        Some(Carried { replicas, value: best.load(), band: (best.load(), high), how, rows })
    });
    let (title, unit) = if is_open { ("Rate carried", "requests/s") } else { ("Users carried", "users") };
    let meaning = format!(
        "The most of the measured loads that meets {}, up to the next one that misses it.",
        goals(run)
    );
    (Measure { title, unit, meaning }, carried.collect())
}

/// Without an objective: the best throughput.
fn of_throughput(points: &[Point<'_, '_>]) -> (Measure, Vec<Carried>) {
    let points: Vec<_> = points.iter().filter(|point| point.has_valid_row()).collect();
    let carried = replicas_of(points.iter().copied()).into_iter().filter_map(|replicas| {
        let same = points.iter().filter(|point| point.replicas() == replicas);
        let best = same.max_by(|a, b| a.rps.total_cmp(&b.rps))?;
        let bounds = goodput_of_point(best).bounds.ok();
        let band = bounds
            .map_or((best.rps, best.rps), |bounds| (bounds.low.min(best.rps), bounds.high.max(best.rps)));
        let p95 = best.p95_us.map_or(String::new(), |us| format!(", P95 {} ms", ms(us)));
        let rows = best.rows.iter().map(|row| row.record.scenario.id.clone()).collect();
        let how = format!("best of the valid rows: {}{p95}", best.name());
        Some(Carried { replicas, value: best.rps, band, how, rows })
    });
    let meaning = "The best throughput of successful requests, with its 95 % confidence interval. (There is no \
        objective, so how many users that carries is not decided.)";
    let measure = Measure { title: "Best throughput", unit: "requests/s", meaning: meaning.into() };
    (measure, carried.collect())
}

/// The numbers of replicas, from the fewest to the most.
fn replicas_of<'p, 'r: 'p, 'a: 'r + 'p>(points: impl Iterator<Item = &'p Point<'r, 'a>>) -> Vec<u32> {
    let mut replicas: Vec<u32> = points.map(Point::replicas).collect();
    replicas.sort_unstable();
    replicas.dedup();
    replicas
}
