//! Charts as SVG. Every colour is an attribute, so that a chart is complete where style sheets are blocked; the
//! classes let a style sheet adapt the colours to a dark page.

mod axis;
mod frame;
mod heat_map;
mod legend;
mod line;
mod link;
mod look;
mod scale;

use maud::{Markup, html};

use super::document::chart::{Chart, HeatMap};
use frame::Frame;
use link::LinkTo;
pub(super) use look::of_verdict;

/// The style sheet of the charts, for pages and for files of their own.
pub(super) const STYLE: &str = include_str!("chart/style.css");

/// A chart inside of a page. Marks link to their rows by `link_to`.
pub(super) fn inline(chart: &Chart, link_to: LinkTo<'_>) -> Markup {
    Frame::new(chart).draw(link_to, None)
}

/// A chart as a file of its own.
pub(super) fn file(chart: &Chart) -> Vec<u8> {
    let own_style = html! { style { (maud::PreEscaped(STYLE)) } };
    Frame::new(chart).draw(&|_| None, Some(own_style)).into_string().into_bytes()
}

/// A map inside of a page.
pub(super) fn map(map: &HeatMap, link_to: LinkTo<'_>) -> Markup {
    heat_map::draw(map, link_to)
}

#[cfg(test)]
mod tests;
