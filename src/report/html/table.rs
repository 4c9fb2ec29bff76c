//! Tables. Each row begins with the link to its scenario.

use maud::{Markup, html};

use super::links::Links;
use crate::judge::Verdict;
use crate::report::chart::of_verdict;
use crate::report::document::{Alignment, Cell, Column, Table};
use crate::report::visible::visible;

pub(super) fn table(table: &Table, subject: &str, links: &Links<'_>) -> Markup {
    // In a card, all rows are about the scenario of the card.
    let mut scenarios = table.rows.iter().map(|row| &row.scenarios);
    let first = scenarios.next();
    let has_links = table.rows.len() == 1 || scenarios.any(|other| Some(other) != first);
    let subject = visible(subject);
    html! {
        div class="scroll" tabindex="0" role="region" aria-label={ "Table: " (subject) } {
            table {
                thead {
                    tr {
                        @if has_links { th scope="col" { "Row" } }
                        @for column in &table.columns { (head(column)) }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @if has_links { th scope="row" { (links.to(&row.scenarios)) } }
                            @for (cell, column) in row.cells.iter().zip(&table.columns) { (value(cell, column)) }
                        }
                    }
                }
            }
        }
    }
}

fn head(column: &Column) -> Markup {
    let title = visible(&column.title);
    html! {
        @match column.alignment {
            Alignment::Left => th scope="col" class="l" { (title) @if let Some(unit) = column.unit { ", " (unit) } },
            Alignment::Right => th scope="col" { (title) @if let Some(unit) = column.unit { ", " (unit) } },
        }
    }
}

fn value(cell: &Cell, column: &Column) -> Markup {
    let text = visible(&cell.to_string());
    let verdict =
        Verdict::ALL.into_iter().find(|verdict| column.title == "Status" && verdict.status() == text);
    html! {
        @if let Some(verdict) = verdict { td class="l" { (badge(verdict)) } }
        @else if column.alignment == Alignment::Left { td class="l" { (text) } }
        @else { td { (text) } }
    }
}

/// A verdict with its colour and its sign.
pub(super) fn badge(verdict: Verdict) -> Markup {
    let (_, class, sign) = of_verdict(verdict);
    html! { strong class={ "badge " (class) } { (sign) " " (verdict.status()) } }
}
