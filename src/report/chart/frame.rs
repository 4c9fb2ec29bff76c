//! The layout of a chart: a legend, panels from top to bottom, and the horizontal axis that they share.

use maud::{Markup, html};

use super::axis::{horizontal, vertical};
use super::legend::Legend;
use super::line;
use super::line::{limit, series};
use super::link::LinkTo;
use super::scale::ScaleOf;
use crate::report::document::chart::{Chart, Panel, Series, SeriesKind, Span};
use crate::report::visible::visible;

pub(super) const WIDTH: f64 = 720.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 16.0;
/// Below the panels: labels and title of the horizontal axis.
const BOTTOM: f64 = 40.0;
/// Above each panel: the title of its axis.
const TITLE: f64 = 24.0;

/// A chart with the places of its parts.
pub(super) struct Frame<'a> {
    chart: &'a Chart,
    legend: Legend<'a>,
    x: ScaleOf,
    /// The top and the vertical scale of each panel.
    panels: Vec<(&'a Panel, ScaleOf)>,
    height: f64,
}

impl<'a> Frame<'a> {
    pub(super) fn new(chart: &'a Chart) -> Self {
        let all = || chart.panels.iter().flat_map(|panel| &panel.series);
        let marks = || all().flat_map(|series| &series.marks);
        let ends = chart.spans.iter().flat_map(|span| [span.from, span.to]);
        let x = ScaleOf::of(&chart.x, marks().map(|mark| mark.x).chain(ends), (LEFT, WIDTH - RIGHT));
        let legend = Legend::of(chart, WIDTH - LEFT - RIGHT);
        let panel_height = if chart.panels.len() > 2 { 62.0 } else { 190.0 };
        let mut top = legend.height;
        let panels = chart.panels.iter().map(|panel| {
            let from = top + TITLE;
            top = from + panel_height;
            (panel, vertical_scale(panel, (top, from)))
        });
        let panels = panels.collect();
        Self { chart, legend, x, panels, height: top + BOTTOM }
    }

    /// The drawing. It links its marks if they have somewhere to link to.
    pub(super) fn draw(&self, link_to: LinkTo<'_>, style: Option<Markup>) -> Markup {
        let Chart { id, title, caption, description, .. } = self.chart;
        let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
        let bottom = self.height - BOTTOM;
        html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {:.0}", self.height))
                width=(WIDTH) height=(format!("{:.0}", self.height)) role=(self.role())
                aria-labelledby=(format!("{title_id} {description_id}")) font-family="system-ui, sans-serif" font-size="12" {
                title id=(title_id) { (visible(title)) }
                desc id=(description_id) { (visible(caption)) " " (visible(description)) }
                @if let Some(style) = style { (style) }
                rect class="paper" width=(WIDTH) height=(format!("{:.0}", self.height)) fill="#fff" {}
                (self.legend.draw(LEFT))
                @for (panel, y) in &self.panels {
                    @for span in &self.chart.spans { (self.span(span, y)) }
                    (vertical(&panel.y, y, (LEFT, WIDTH - RIGHT)))
                    @if let Some((value, name)) = &panel.limit { (limit(*value, name, y, (LEFT, WIDTH - RIGHT))) }
                    @for one in &panel.series { (series(one, &self.x, y, link_to)) }
                }
                @for span in &self.chart.spans { (self.span_name(span)) }
                (horizontal(&self.chart.x, &self.x, bottom))
            }
        }
    }

    /// A drawing with links is a group: readers of images would skip its links.
    fn role(&self) -> &'static str {
        let mut marks =
            self.chart.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.marks);
        if marks.any(|mark| mark.scenario.is_some()) { "group" } else { "img" }
    }

    fn span(&self, span: &Span, y: &ScaleOf) -> Markup {
        let (from, to) = (self.x.place(span.from), self.x.place(span.to));
        let (fill, class) = if span.is_window { ("#e3f0f9", "window") } else { ("#eceff2", "ramp") };
        html! {
            rect x=(line::px(from)) y=(line::px(y.ends.1)) width=(line::px(to - from))
                height=(line::px(y.ends.0 - y.ends.1)) fill=(fill) class=(class) {
                title { (span.name) (format!(": {:.0} to {:.0} s", span.from, span.to)) }
            }
        }
    }

    /// The name of a stretch above the first panel, if it is long enough.
    fn span_name(&self, span: &Span) -> Markup {
        let (from, to) = (self.x.place(span.from), self.x.place(span.to));
        let top = self.panels.first().map_or(0.0, |(_, y)| y.ends.1);
        html! {
            @if to - from > 6.2 * span.name.len() as f64 {
                text x=(line::px(f64::midpoint(from, to))) y=(line::px(top + 11.0)) text-anchor="middle" font-size="11"
                    fill="#4a5159" class="dim" { (span.name) }
            }
        }
    }
}

/// The scale of a panel: it holds every point, every band that is known, and the limit.
fn vertical_scale(panel: &Panel, ends: (f64, f64)) -> ScaleOf {
    let marks = || panel.series.iter().flat_map(|series: &Series| &series.marks);
    let bands = marks().filter_map(|mark| mark.band).flat_map(|(low, high)| [low, high]);
    // A line to compare with may leave the panel at the top, but not by much.
    let own = panel.series.iter().filter(|series| series.kind != SeriesKind::Reference);
    let most = own.flat_map(|series| &series.marks).map(|mark| mark.y).fold(0.0, f64::max);
    let values = marks().map(|mark| mark.y).filter(|y| *y <= 3.0 * most);
    let limit = panel.limit.as_ref().map(|(value, _)| *value);
    ScaleOf::of(&panel.y, values.chain(bands).chain(limit), ends)
}
