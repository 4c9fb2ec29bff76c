//! The points of a series, and the limit that they are compared with.

use std::fmt::Write;

use maud::{Markup, html};

use super::link::LinkTo;
use super::look::{colour, dash, fill_class, mark, stroke_class};
use super::scale::ScaleOf;
use crate::report::document::chart::{Mark, Series, SeriesKind};
use crate::report::visible::{shortened, visible};

/// Titles of marks are shown while pointing at them; longer ones are cut.
const LONGEST_TITLE: usize = 300;

/// A place in the drawing, with one decimal where it says something.
pub(super) fn px(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

pub(super) fn series(series: &Series, x: &ScaleOf, y: &ScaleOf, link_to: LinkTo<'_>) -> Markup {
    let look = series.look;
    let usable = |mark: &&Mark| !mark.x.is_nan() && !mark.y.is_nan();
    let marks: Vec<&Mark> = series.marks.iter().filter(usable).collect();
    html! {
        @if marks.len() > 1 {
            polyline points=(points(&marks, x, y)) fill="none" stroke=(colour(look)) class=(stroke_class(look))
                stroke-width=(if series.kind == SeriesKind::Points { "1.8" } else { "1.6" })
                stroke-dasharray=(dash(look, series.dash)) {
                title { (shortened(&visible(&series.name), LONGEST_TITLE)) }
            }
        }
        @if series.kind == SeriesKind::Points {
            @for one in marks { (point(one, look, x, y, link_to)) }
        }
    }
}

/// A limit as a line across the panel.
pub(super) fn limit(value: f64, name: &str, y: &ScaleOf, ends: (f64, f64)) -> Markup {
    let at = y.place(value);
    html! {
        line x1=(px(ends.0)) x2=(px(ends.1)) y1=(px(at)) y2=(px(at)) stroke="#c44e00" class="limit" stroke-width="1.4"
            stroke-dasharray="4 3" {}
        text x=(px(ends.1 - 4.0)) y=(px(at - 4.0)) text-anchor="end" fill="#4a5159" class="dim" font-size="11" {
            (shortened(&visible(name), 60))
        }
    }
}

fn points(marks: &[&Mark], x: &ScaleOf, y: &ScaleOf) -> String {
    let mut text = String::with_capacity(marks.len() * 12);
    for mark in marks {
        // A String takes everything that is written to it.
        let _ = write!(text, "{},{} ", px(x.place(mark.x)), px(y.place(mark.y)));
    }
    text.pop();
    text
}

/// A mark with its band, its title and its link.
fn point(one: &Mark, look: usize, x: &ScaleOf, y: &ScaleOf, link_to: LinkTo<'_>) -> Markup {
    let (at_x, at_y) = (x.place(one.x), y.place(one.y));
    let title = shortened(&visible(&one.title), LONGEST_TITLE);
    let drawn = html! {
        title { (title) }
        @if let Some(band) = one.band { (error_bar(band, look, at_x, y)) }
        @if one.is_knee {
            circle cx=(px(at_x)) cy=(px(at_y)) r="9" fill="none" stroke="#1d2228" class="axis" stroke-width="1.5" {}
        }
        (mark(look, at_x, at_y))
    };
    let link = one.scenario.as_deref().and_then(link_to);
    html! {
        @if let Some(link) = link {
            a href=(link) { (drawn) }
        } @else {
            g { (drawn) }
        }
    }
}

/// A bar between both ends; an end that is not known has no cap.
fn error_bar((low, high): (f64, f64), look: usize, x: f64, y: &ScaleOf) -> Markup {
    let top = if high.is_finite() { y.place(high) } else { y.ends.1 };
    let bottom = y.place(low);
    let cap = |at: f64| html! { path d=(format!("M{} {}h8", px(x - 4.0), px(at))) {} };
    html! {
        g stroke=(colour(look)) class=(stroke_class(look)) stroke-width="1.6" fill="none" {
            path d=(format!("M{} {}V{}", px(x), px(bottom), px(top))) stroke-dasharray=(if high.is_finite() { "none" } else { "3 3" }) {}
            (cap(bottom))
            @if high.is_finite() { (cap(top)) }
            @else { path d=(format!("M{} {}l4 -6l4 6z", px(x - 4.0), px(top + 6.0))) fill=(colour(look)) class=(fill_class(look)) {} }
        }
    }
}
