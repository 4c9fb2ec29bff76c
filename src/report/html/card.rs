//! A card per scenario.

use std::cell::RefCell;

use maud::{Markup, Render, html};

use super::blocks::block;
use super::links::Links;
use super::table::badge;
use crate::report::document::Card;
use crate::report::visible::visible;

/// The cards, which go into the page as soon as they are made.
pub(super) struct Cards<'a, I> {
    pub(super) cards: RefCell<I>,
    pub(super) links: &'a Links<'a>,
}

impl<I: Iterator<Item = Card>> Render for Cards<'_, I> {
    fn render_to(&self, page: &mut String) {
        for one in self.cards.borrow_mut().by_ref() {
            card(&one, self.links).render_to(page);
        }
    }
}

pub(super) fn section(cards: &impl Render) -> Markup {
    html! {
        section id="cards" {
            h2 { "Each scenario" }
            p class="intro" { "Open a scenario for its percentiles, its timeline and its replicas." }
            (cards)
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
