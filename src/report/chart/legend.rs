//! The legend: each series once, with its colour, mark and dash.

use maud::{Markup, html};

use super::line::px;
use super::look::{colour, dash, mark, stroke_class};
use crate::report::document::chart::{Chart, Series, SeriesKind};
use crate::report::visible::{shortened, visible};

const ROW: f64 = 18.0;
/// The sample of a line, with the space after it.
const SAMPLE: f64 = 34.0;
/// About the width of a character.
const CHARACTER: f64 = 6.6;
/// Longer names are cut.
const LONGEST: usize = 48;

pub(super) struct Legend<'a> {
    /// Each series with its row and its place within it.
    items: Vec<(&'a Series, String, f64, f64)>,
    pub(super) height: f64,
}

impl<'a> Legend<'a> {
    /// The legend of a chart, in rows of this width; empty if no panel has more than one series.
    pub(super) fn of(chart: &'a Chart, width: f64) -> Self {
        let mut items: Vec<(&Series, String, f64, f64)> = Vec::new();
        if chart.panels.iter().all(|panel| panel.series.len() < 2) {
            return Self { items, height: 0.0 };
        }
        let (mut x, mut y) = (0.0, 0.0);
        for series in chart.panels.iter().flat_map(|panel| &panel.series) {
            if items.iter().any(|(known, ..)| known.name == series.name) {
                continue;
            }
            let name = shortened(&visible(&series.name), LONGEST);
            let needed = SAMPLE + CHARACTER * name.chars().count() as f64 + 14.0;
            if x > 0.0 && x + needed > width {
                (x, y) = (0.0, y + ROW);
            }
            items.push((series, name, x, y));
            x += needed;
        }
        Self { items, height: y + ROW + 4.0 }
    }

    pub(super) fn draw(&self, left: f64) -> Markup {
        html! {
            @for (series, name, x, y) in &self.items {
                @let (x, y) = (left + x, y + 10.0);
                line x1=(px(x)) x2=(px(x + 28.0)) y1=(px(y)) y2=(px(y)) stroke=(colour(series.look)) stroke-width="2"
                    stroke-dasharray=(dash(series.look, series.dash)) class=(stroke_class(series.look)) {}
                @if series.kind == SeriesKind::Points { (mark(series.look, x + 14.0, y)) }
                text x=(px(x + SAMPLE)) y=(px(y + 4.0)) fill="#1d2228" class="ink" { (name) }
            }
        }
    }
}
