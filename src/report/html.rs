//! HTML, for people: one file without anything outside of it.
//!
//! It is complete without scripts and without style sheets, because some viewers block them. There is no script, and
//! the style sheet only makes the page better. `color-scheme` stands in the style sheet and not in a `<meta>`: with the
//! latter, a viewer that blocks styles would write its pale text on the drawings' white paper.

mod blocks;
mod card;
mod links;
mod table;

use std::cell::RefCell;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::blocks::section;
use self::card::Cards;
use self::links::Links;
use super::chart;
use super::document::{Card, Document, Section};
use super::visible::visible;

const STYLE: &str = include_str!("html/style.css");

/// The sections that stand after the cards: what few readers look for first.
const AFTER_CARDS: [&str; 6] = ["percentiles", "load-generator", "whole-runs", "phases", "settings", "run"];

/// The bytes of the file, with these cards of the document's scenarios.
pub(super) fn render(document: &Document, cards: impl Iterator<Item = Card>) -> Vec<u8> {
    page(document, cards).into_string().into_bytes()
}

fn page(document: &Document, cards: impl Iterator<Item = Card>) -> Markup {
    let links = Links::of(document);
    let has_cards = !document.scenarios.is_empty();
    let cards = Cards { cards: RefCell::new(cards), links: &links };
    let is_after = |one: &&Section| AFTER_CARDS.contains(&one.id);
    let (after, before): (Vec<&Section>, Vec<&Section>) = document.sections.iter().partition(is_after);
    let title = visible(&document.title);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(chart::STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) } (contents(&before, &after, has_cards)) }
                main {
                    @for one in before { (section(one, &links)) }
                    @if has_cards { (card::section(&cards)) }
                    @for one in after { (section(one, &links)) }
                }
            }
        }
    }
}

/// Links to the sections.
fn contents(before: &[&Section], after: &[&Section], has_cards: bool) -> Markup {
    let link = |one: &&Section| html! { li { a href={ "#" (one.id) } { (visible(&one.title)) } } };
    html! {
        nav aria-label="Contents" {
            ul {
                @for one in before { (link(one)) }
                @if has_cards { li { a href="#cards" { "Each scenario" } } }
                @for one in after { (link(one)) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
