//! Sections and their blocks.

use maud::{Markup, html};

use super::links::Links;
use super::table::table;
use crate::report::chart;
use crate::report::document::chart::{Chart, HeatMap};
use crate::report::document::{Block, Section, Sentence};
use crate::report::visible::visible;

pub(super) fn section(section: &Section, links: &Links<'_>) -> Markup {
    html! {
        section id=(section.id) {
            h2 { (visible(&section.title)) }
            @if let Some(intro) = &section.intro { p class="intro" { (visible(intro)) } }
            @for one in &section.blocks { (block(one, &section.title, links)) }
        }
    }
}

/// A block, which `subject` names for readers who cannot see where it stands.
pub(super) fn block(block: &Block, subject: &str, links: &Links<'_>) -> Markup {
    match block {
        Block::KeyValues(facts) => html! {
            table class="facts" {
                @for (name, value) in facts { tr { th scope="row" { (visible(name)) } td class="l" { (visible(value)) } } }
            }
        },
        Block::Facts(facts) => html! {
            table class="facts lead" {
                @for (name, said) in facts {
                    tr {
                        th scope="row" { (visible(name)) }
                        @if name == "Answer" { td class="l" { strong { (sentence(said, links)) } } }
                        @else { td class="l" { (sentence(said, links)) } }
                    }
                }
            }
        },
        Block::Paragraph(said) => html! { p { (sentence(said, links)) } },
        Block::Sentences { lead, items } => html! {
            @if let Some(lead) = lead { p { (visible(&lead.text)) } }
            ul { @for item in items { li { (sentence(item, links)) } } }
        },
        Block::Table(own) => table(own, subject, links),
        Block::Chart(own) => drawing(own, links),
        Block::HeatMap(own) => heat_map(own, links),
    }
}

fn sentence(sentence: &Sentence, links: &Links<'_>) -> Markup {
    let text = visible(&sentence.text);
    // A gate that fails is what a reader must not overlook.
    let failed = text.strip_prefix("FAILED").map(str::to_owned);
    html! {
        @if let Some(rest) = failed { strong class="badge bad" { "✗ FAILED" } (rest) }
        @else { (text) }
        (links.to(&sentence.rows))
    }
}

/// A chart with the numbers behind it.
fn drawing(own: &Chart, links: &Links<'_>) -> Markup {
    let is_long = own.table.rows.len() > 40;
    html! {
        figure {
            div class="scroll" { (chart::inline(own, &|id| links.address(id))) }
            figcaption { (visible(&own.title)) ". " (visible(&own.caption)) }
        }
        details class=(if is_long { "numbers long" } else { "numbers" }) {
            summary { "Numbers: " (visible(&own.title)) }
            (table(&own.table, &own.title, links))
        }
    }
}

/// The map; the table of the scenarios stands beside it.
fn heat_map(own: &HeatMap, links: &Links<'_>) -> Markup {
    html! {
        figure {
            div class="scroll" { (chart::map(own, &|id| links.address(id))) }
            figcaption { (visible(&own.caption)) }
        }
    }
}
