//! Charts without a format: what is drawn, and the numbers behind it.

use super::Table;
use crate::judge::Verdict;

/// A chart of one or several panels that share their horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Names the chart within the document, such as `capacity`.
    pub id: String,
    /// The title.
    pub title: String,
    /// How to read the chart.
    pub caption: String,
    /// What the chart shows, for readers who cannot see it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The panels, from top to bottom.
    pub panels: Vec<Panel>,
    /// Stretches of the horizontal axis that have a name, such as the ramp.
    pub spans: Vec<Span>,
    /// The numbers behind the chart.
    pub table: Table,
}

/// An axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it measures.
    pub title: String,
    /// The unit.
    pub unit: Option<&'static str>,
    /// How values become distances.
    pub scale: Scale,
}

/// How values become distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// In proportion, from the least value.
    Linear,
    /// In proportion, from zero.
    FromZero,
    /// By the logarithm.
    Log,
    /// By the logarithm of 1 / (1 − q): the distances from P50 to P90, to P99 and to P99.9 are about equal. The
    /// values are 1 / (1 − q).
    Percentile,
}

/// One panel of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// A value that must not be exceeded, or must be reached, with its name.
    pub limit: Option<(f64, String)>,
}

/// Points that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the points have in common.
    pub name: String,
    /// Which colour and mark it has, from 0.
    pub look: usize,
    /// Which dash its line has, from 0: solid.
    pub dash: usize,
    /// How the points are shown.
    pub kind: SeriesKind,
    /// The points, from left to right.
    pub marks: Vec<Mark>,
}

/// How the points of a series are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesKind {
    /// Each measured point has a mark, and a line joins them.
    Points,
    /// A line without marks, because there are many points.
    Line,
    /// A line to compare with, which was not measured.
    Reference,
}

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its place on the horizontal axis.
    pub x: f64,
    /// Its place on the vertical axis.
    pub y: f64,
    /// Both ends of its band; the upper end is infinite if it is not known.
    pub band: Option<(f64, f64)>,
    /// The point in words.
    pub title: String,
    /// The id of the scenario that it comes from.
    pub scenario: Option<String>,
    /// Whether it is the knee of its line.
    pub is_knee: bool,
}

/// A stretch of the horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its name.
    pub name: &'static str,
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Whether the figures of the row come from it.
    pub is_window: bool,
}

/// The matrix by verdict: a cell per point.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Names the map within the document.
    pub id: &'static str,
    /// The title.
    pub title: String,
    /// How to read the map.
    pub caption: String,
    /// What the map shows, for readers who cannot see it.
    pub description: String,
    /// The titles of the columns.
    pub columns: Vec<String>,
    /// The rows, from top to bottom.
    pub rows: Vec<HeatRow>,
}

/// A row of a heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatRow {
    /// Its title.
    pub title: String,
    /// A cell per column; `None` if the point was not measured.
    pub cells: Vec<Option<HeatCell>>,
}

/// A cell of a heat map.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatCell {
    /// The verdict of the point: the worst of its repeats.
    pub verdict: Verdict,
    /// The figure of the cell, such as `P95 310 ms`.
    pub figure: String,
    /// The cell in words.
    pub title: String,
    /// The id of the scenario that has this verdict.
    pub scenario: String,
}

impl Axis {
    /// An axis without a unit.
    pub fn of(title: impl Into<String>, scale: Scale) -> Self {
        Self { title: title.into(), unit: None, scale }
    }

    /// An axis in this unit.
    pub fn measured(title: impl Into<String>, unit: &'static str, scale: Scale) -> Self {
        Self { title: title.into(), unit: Some(unit), scale }
    }
}

impl Mark {
    /// A point that has nothing but its place.
    pub const fn at(x: f64, y: f64) -> Self {
        Self { x, y, band: None, title: String::new(), scenario: None, is_knee: false }
    }
}

impl Series {
    /// A line without marks.
    pub fn line(name: impl Into<String>, look: usize, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let marks = points.into_iter().map(|(x, y)| Mark::at(x, y)).collect();
        Self { name: name.into(), look, dash: 0, kind: SeriesKind::Line, marks }
    }
}
