//! A card per scenario.

use maud::{Markup, html};

use super::blocks::block;
use super::links::Links;
use super::table::badge;
use crate::report::document::{Card, Document};
use crate::report::visible::visible;

pub(super) fn cards(document: &Document, links: &Links<'_>) -> Markup {
    html! {
        section id="cards" {
            h2 { "Each scenario" }
            p class="intro" { "Open a scenario for its percentiles, its timeline and its replicas." }
            @for one in &document.cards { (card(one, links)) }
        }
    }
}

fn card(card: &Card, links: &Links<'_>) -> Markup {
    let number = links.number(&card.scenario).unwrap_or_default();
    html! {
        article class="card" id={ "row-" (number) } {
            h3 { "#" (number) " " (visible(&card.name)) " " (badge(card.verdict)) }
            p { (visible(&card.figures)) "." }
            @if !card.reasons.is_empty() {
                ul { @for reason in &card.reasons { li { (visible(reason)) } } }
            }
            @if !card.blocks.is_empty() {
                details {
                    summary { "Details of #" (number) }
                    @for one in &card.blocks { (block(one, &card.name, links)) }
                }
            }
        }
    }
}
