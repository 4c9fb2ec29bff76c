//! The matrix by verdict.

use maud::{Markup, html};

use super::frame::WIDTH;
use super::line::px;
use super::link::LinkTo;
use super::look::of_verdict;
use crate::report::document::chart::{HeatCell, HeatMap};
use crate::report::visible::{shortened, visible};

/// The titles of the rows stand in this width.
const LEFT: f64 = 150.0;
const ROW: f64 = 40.0;
const HEAD: f64 = 24.0;
/// Cells narrower than this have a sign and no words.
const WORDS: f64 = 84.0;
/// A matrix with more columns than this is wrapped: its cells stand in rows of this length, in order.
const MOST_COLUMNS: usize = 24;

pub(super) fn draw(map: &HeatMap, link_to: LinkTo<'_>) -> Markup {
    if map.columns.len() > MOST_COLUMNS { wrapped(map, link_to) } else { grid(map, link_to) }
}

fn grid(map: &HeatMap, link_to: LinkTo<'_>) -> Markup {
    let width = (WIDTH - LEFT) / map.columns.len().max(1) as f64;
    let height = HEAD + ROW * map.rows.len() as f64;
    let longest = characters(width);
    let titles = html! {
        @for (at, column) in map.columns.iter().enumerate() {
            text x=(px(LEFT + (at as f64 + 0.5) * width)) y="15" text-anchor="middle" fill="#1d2228" class="ink" {
                (shortened(&visible(column), longest))
            }
        }
        @for (at, row) in map.rows.iter().enumerate() {
            text x=(px(LEFT - 8.0)) y=(px(HEAD + (at as f64 + 0.6) * ROW)) text-anchor="end" fill="#1d2228" class="ink" {
                (shortened(&visible(&row.title), 24))
            }
        }
    };
    let cells = html! {
        @for (at, row) in map.rows.iter().enumerate() {
            @for (column, one) in row.cells.iter().enumerate() {
                @let place = (LEFT + column as f64 * width, HEAD + at as f64 * ROW);
                @if let Some(one) = one { (cell(one, place, width, link_to)) }
                @else { text x=(px(place.0 + width / 2.0)) y=(px(place.1 + 24.0)) text-anchor="middle" fill="#4a5159" class="dim" { "–" } }
            }
        }
    };
    drawing(map, height, &html! { (titles) (cells) })
}

/// All cells in order, with a sign each; their titles say which point they are.
fn wrapped(map: &HeatMap, link_to: LinkTo<'_>) -> Markup {
    let cells: Vec<&HeatCell> = map.rows.iter().flat_map(|row| row.cells.iter().flatten()).collect();
    let width = WIDTH / MOST_COLUMNS as f64;
    let height = ROW * cells.len().div_ceil(MOST_COLUMNS) as f64;
    let drawn = html! {
        @for (at, one) in cells.into_iter().enumerate() {
            (cell(one, ((at % MOST_COLUMNS) as f64 * width, (at / MOST_COLUMNS) as f64 * ROW), width, link_to))
        }
    };
    drawing(map, height, &drawn)
}

fn drawing(map: &HeatMap, height: f64, drawn: &Markup) -> Markup {
    let HeatMap { id, title, caption, description, .. } = map;
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {WIDTH} {height:.0}")) width=(WIDTH)
            height=(format!("{height:.0}")) role="group" aria-labelledby=(format!("{title_id} {description_id}"))
            font-family="system-ui, sans-serif" font-size="12" {
            title id=(title_id) { (visible(title)) }
            desc id=(description_id) { (visible(caption)) " " (visible(description)) }
            rect class="paper" width=(WIDTH) height=(format!("{height:.0}")) fill="#fff" {}
            (drawn)
        }
    }
}

fn cell(cell: &HeatCell, (x, y): (f64, f64), width: f64, link_to: LinkTo<'_>) -> Markup {
    let (fill, class, sign) = of_verdict(cell.verdict);
    let title = shortened(&visible(&cell.title), 300);
    let middle = px(x + width / 2.0);
    let has_words = width >= WORDS;
    let drawn = html! {
        title { (title) }
        rect x=(px(x + 1.0)) y=(px(y + 1.0)) width=(px((width - 2.0).max(1.0))) height=(px(ROW - 2.0)) rx="3" fill=(fill) class=(class) {}
        @if has_words {
            text x=(middle) y=(px(y + 17.0)) text-anchor="middle" fill="#1d2228" class="ink" font-weight="600" {
                (sign) " " (shortened(cell.verdict.status(), characters(width) - 2))
            }
            text x=(middle) y=(px(y + 32.0)) text-anchor="middle" fill="#1d2228" class="ink" { (cell.figure) }
        } @else {
            text x=(middle) y=(px(y + 25.0)) text-anchor="middle" fill="#1d2228" class="ink" font-weight="600" { (sign) }
        }
    };
    html! {
        @if let Some(link) = link_to(&cell.scenario) { a href=(link) { (drawn) } }
        @else { g { (drawn) } }
    }
}

/// About how many characters have room in this width.
fn characters(width: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred at most")]
    let count = (width / 7.0).max(4.0) as usize;
    count
}
