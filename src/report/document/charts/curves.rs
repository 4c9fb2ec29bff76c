//! Throughput and P95 by load: a line for each number of replicas and workers.

use records::ms;

use crate::events::many;
use crate::judge::{Point, certainty_of_point, goodput_of_point};
use crate::report::document::chart::{Axis, Chart, Mark, Panel, Scale, Series, SeriesKind};
use crate::report::document::{Block, Cell, Column, Section, Sentence, Table};

/// The next load is past the knee if it brings less than this factor of the throughput, as the latency advice has it.
const LEVEL: f64 = 1.1;
/// The loads that are compared differ by this factor at least.
const APART: f64 = 1.2;
/// P95 has a logarithmic axis if its values differ by more than this factor.
const WIDE: f64 = 20.0;

/// The charts of both models, the closed one first; `None` without a valid row.
pub(in crate::report::document) fn curves(points: &[Point<'_, '_>]) -> Option<Section> {
    let (open, closed): (Vec<_>, Vec<_>) = points.iter().partition(|point| point.is_open());
    let mut blocks = Vec::new();
    for (points, is_open) in [(closed, false), (open, true)] {
        if points.is_empty() {
            continue;
        }
        let lines = lines(&points);
        let knees: Vec<Sentence> = lines.iter().filter_map(|line| line.sentence(is_open)).collect();
        if !knees.is_empty() {
            let lead = "The knee, from which more load brings less than 10 % more throughput (of loads that differ by a fifth or more):";
            blocks.push(Block::led(lead, knees));
        }
        blocks.push(Block::Chart(Box::new(chart(&lines, is_open))));
    }
    (!blocks.is_empty()).then(|| Section::new("load-curves", "Throughput and P95 by load", blocks))
}

/// The points with the same replicas and workers, by load.
struct Line<'p, 'r, 'a> {
    points: Vec<&'p Point<'r, 'a>>,
    /// Throughput and P95 of each point.
    marks: Vec<(Mark, Option<Mark>)>,
    /// Which of the points is the knee, and which one shows it.
    knee: Option<(usize, usize)>,
    look: usize,
    dash: usize,
}

fn lines<'p, 'r, 'a>(points: &[&'p Point<'r, 'a>]) -> Vec<Line<'p, 'r, 'a>> {
    let pods =
        |point: &Point<'_, '_>| (point.replicas(), point.scenario().map_or(0, |scenario| scenario.workers));
    let mut keys: Vec<(u32, u32)> = points.iter().map(|point| pods(point)).collect();
    keys.sort_unstable();
    keys.dedup();
    let order = |all: Vec<u32>, one: u32| {
        let mut all = all;
        all.sort_unstable();
        all.dedup();
        all.iter().position(|other| *other == one).unwrap_or(0)
    };
    let line = |key: &(u32, u32)| {
        let mut own: Vec<_> = points.iter().copied().filter(|point| pods(point) == *key).collect();
        own.sort_by(|a, b| a.load().total_cmp(&b.load()));
        // Loads that hardly differ have hardly different throughput, before the knee, too.
        let next = |point: &Point<'_, '_>| own.iter().position(|more| more.load() >= APART * point.load());
        let knee = own.iter().enumerate().find_map(|(at, point)| {
            let beyond = next(point)?;
            (own[beyond].rps < LEVEL * point.rps).then_some((at, beyond))
        });
        Line {
            knee,
            marks: own.iter().map(|point| (throughput(point), p95(point))).collect(),
            points: own,
            look: order(keys.iter().map(|key| key.0).collect(), key.0),
            dash: order(keys.iter().map(|key| key.1).collect(), key.1),
        }
    };
    keys.iter().map(line).collect()
}

impl Line<'_, '_, '_> {
    fn name(&self) -> String {
        let scenario = self.points.first().and_then(|point| point.scenario());
        scenario.map_or(String::new(), |scenario| {
            format!("{}, {}", many(scenario.replicas, "replica"), many(scenario.workers, "worker"))
        })
    }

    fn is_knee(&self, at: usize) -> bool {
        self.knee.is_some_and(|(knee, _)| knee == at)
    }

    fn sentence(&self, is_open: bool) -> Option<Sentence> {
        let (at, beyond) = self.knee?;
        let (knee, beyond) = (self.points.get(at)?, self.points.get(beyond)?);
        let text = format!(
            "{}: {}{} at {:.1} requests/s; {} give {:.1}.",
            self.name(),
            // It may lie below what was measured.
            if at == 0 { "at or below " } else { "" },
            load(knee, is_open),
            knee.rps,
            load(beyond, is_open),
            beyond.rps
        );
        Some(Sentence::about(knee.rows.iter().chain(&beyond.rows).copied(), text))
    }

    fn series(&self, mark: fn(&(Mark, Option<Mark>)) -> Option<&Mark>) -> Series {
        let marks = self.points.iter().zip(&self.marks).enumerate().filter_map(|(at, (point, marks))| {
            let is_knee = self.is_knee(at);
            let mark = mark(marks)?.clone();
            let title = if is_knee { format!("{}; the knee", mark.title) } else { mark.title };
            let scenario = point.scenario().map(|scenario| scenario.id.clone());
            Some(Mark { title, scenario, is_knee, ..mark })
        });
        let marks = marks.collect();
        Series { name: self.name(), look: self.look, dash: self.dash, kind: SeriesKind::Points, marks }
    }
}

fn load(point: &Point<'_, '_>, is_open: bool) -> String {
    let load = point.load();
    if is_open { format!("{load} requests/s due") } else { format!("{load} users") }
}

fn throughput(point: &Point<'_, '_>) -> Mark {
    let bounds = goodput_of_point(point).bounds.ok().map(|bounds| (bounds.low, bounds.high));
    let between = bounds.map_or(String::new(), |(low, high)| format!(" [{low:.1}, {high:.1}]"));
    let title = format!("{}: {:.1}{between} successful requests/s", point.name(), point.rps);
    Mark { band: bounds, title, ..Mark::at(point.load(), point.rps) }
}

fn p95(point: &Point<'_, '_>) -> Option<Mark> {
    let us = point.p95_us?;
    let to_ms = |us: f64| us / 1000.0;
    let bounds = certainty_of_point(point, 0.95).bounds.ok();
    let bounds = bounds.map(|bounds| (to_ms(bounds.low), to_ms(bounds.high)));
    let between = bounds.map_or(String::new(), |(low, high)| format!(" [{low:.1}, {high:.1}]"));
    let title = format!("{}: P95 {}{between} ms", point.name(), ms(us));
    Some(Mark { band: bounds, title, ..Mark::at(point.load(), to_ms(us as f64)) })
}

fn chart(lines: &[Line<'_, '_, '_>], is_open: bool) -> Chart {
    let p95s: Vec<f64> =
        lines.iter().flat_map(|line| &line.marks).filter_map(|(_, p95)| Some(p95.as_ref()?.y)).collect();
    let (least, most) = p95s.iter().fold((f64::INFINITY, 0.0_f64), |(a, b), y| (a.min(*y), b.max(*y)));
    let scale = if least > 0.0 && most > WIDE * least { Scale::Log } else { Scale::FromZero };
    let goal = lines.first().and_then(|line| line.points.first()).and_then(|point| point.rows.first());
    let goal = goal.and_then(|row| row.record.objective.p95_ms);
    let limit = goal.map(|most| (f64::from(most), format!("objective: {most} ms")));
    let x = if is_open {
        Axis::measured("Rate", "requests/s", Scale::FromZero)
    } else {
        Axis::of("Users", Scale::FromZero)
    };
    let (by, id) = if is_open { ("rate", "load-open") } else { ("users", "load") };
    Chart {
        id: id.into(),
        title: format!("Throughput and P95 by {by}"),
        caption: "Above: successful requests per second of the primary endpoint. Below: P95 of its response times. A \
                  line per number of replicas and workers, of valid rows only. Bars are 95 % confidence intervals. A \
                  ring marks the knee."
            .into(),
        description: said(lines, is_open),
        x,
        panels: vec![
            Panel {
                y: Axis::measured("Throughput", "requests/s", Scale::FromZero),
                series: lines.iter().map(|line| line.series(|marks| Some(&marks.0))).collect(),
                limit: None,
            },
            Panel {
                y: Axis::measured("P95", "ms", scale),
                series: lines.iter().map(|line| line.series(|marks| marks.1.as_ref())).collect(),
                limit,
            },
        ],
        spans: Vec::new(),
        table: table(lines, is_open),
    }
}

/// The range of each line in words.
fn said(lines: &[Line<'_, '_, '_>], is_open: bool) -> String {
    let each = lines.iter().filter_map(|line| {
        let (first, last) = (line.points.first()?, line.points.last()?);
        let range = format!("{}: {:.1} requests/s with {}", line.name(), first.rps, load(first, is_open));
        Some(if line.points.len() > 1 {
            format!("{range}, {:.1} with {}.", last.rps, load(last, is_open))
        } else {
            format!("{range}.")
        })
    });
    // A description is read aloud: the table has the rest.
    each.take(8).collect::<Vec<_>>().join(" ")
}

fn table(lines: &[Line<'_, '_, '_>], is_open: bool) -> Table {
    let x = if is_open { Column::measured("Rate", "requests/s") } else { Column::numbers("Users") };
    let mut table = Table::new(vec![
        Column::words("Line"),
        x,
        Column::measured("Successful", "requests/s"),
        Column::measured("From", "requests/s"),
        Column::measured("To", "requests/s"),
        Column::measured("P95", "ms"),
        Column::measured("From", "ms"),
        Column::measured("To", "ms"),
        Column::words("Knee"),
    ]);
    for line in lines {
        for (at, (point, (rps, p95))) in line.points.iter().zip(&line.marks).enumerate() {
            let band = |mark: Option<&Mark>, end: fn((f64, f64)) -> f64| mark?.band.map(end);
            let cells = vec![
                Cell::text(line.name()),
                Cell::Given(point.load()),
                Cell::number(Some(rps.y), 1),
                Cell::number(band(Some(rps), |ends| ends.0), 1),
                Cell::number(band(Some(rps), |ends| ends.1), 1),
                Cell::response_time(point.p95_us),
                Cell::number(band(p95.as_ref(), |ends| ends.0), 1),
                Cell::number(band(p95.as_ref(), |ends| ends.1), 1),
                Cell::text(if line.is_knee(at) { "knee" } else { "" }),
            ];
            table.push(point.rows.iter().copied(), cells);
        }
    }
    table
}
