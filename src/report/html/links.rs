//! Links to the rows of the report.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::report::document::Document;
use crate::report::visible::{shortened, visible};

/// More links than this are counted instead.
const MOST_LINKS: usize = 8;

/// The number and the name of each scenario. Anchors are made of numbers, because an id may have any characters.
pub(super) struct Links<'a>(HashMap<&'a str, (usize, &'a str)>);

impl<'a> Links<'a> {
    pub(super) fn of(document: &'a Document) -> Self {
        let numbered = document.scenarios.iter().enumerate();
        Self(numbered.map(|(at, (id, name))| (id.as_str(), (at + 1, name.as_str()))).collect())
    }

    /// The address of a scenario's card.
    pub(super) fn address(&self, id: &str) -> Option<String> {
        self.0.get(id).map(|(number, _)| format!("#row-{number}"))
    }

    pub(super) fn number(&self, id: &str) -> Option<usize> {
        self.0.get(id).map(|(number, _)| *number)
    }

    /// Links to these scenarios: `#1 #2 and 5 more`.
    pub(super) fn to(&self, ids: &[String]) -> Markup {
        let found: Vec<_> = ids.iter().filter_map(|id| self.0.get(id.as_str())).collect();
        html! {
            @for (number, name) in found.iter().take(MOST_LINKS) {
                " " a class="row" href={ "#row-" (number) } title=(shortened(&visible(name), 120)) { "#" (number) }
            }
            @if found.len() > MOST_LINKS { " and " (found.len() - MOST_LINKS) " more" }
        }
    }
}
