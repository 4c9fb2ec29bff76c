//! Colours, marks and dashes. No series differs from another by its colour alone.

use maud::{Markup, html};

use crate::judge::Verdict;

/// Blue, vermilion, green, purple, ochre and grey: told apart by readers with any kind of colour blindness (after Okabe
/// and Ito), and dark enough on white.
const COLOURS: [&str; 6] = ["#0072b2", "#c44e00", "#007a5a", "#9a4a80", "#856300", "#555b63"];
/// Dashes of lines.
const DASHES: [&str; 4] = ["none", "7 4", "2 3", "9 3 2 3"];

/// The place of a look among those that there are; further ones begin again, with another dash.
const fn place(look: usize) -> usize {
    look % COLOURS.len()
}

pub(super) const fn colour(look: usize) -> &'static str {
    COLOURS[place(look)]
}

pub(super) fn stroke_class(look: usize) -> String {
    format!("s{}", place(look))
}

pub(super) fn fill_class(look: usize) -> String {
    format!("f{}", place(look))
}

pub(super) const fn dash(look: usize, dash: usize) -> &'static str {
    DASHES[(dash + look / COLOURS.len()) % DASHES.len()]
}

/// The mark of a look around a point: circle, square, triangle, diamond, cross, bar.
pub(super) fn mark(look: usize, x: f64, y: f64) -> Markup {
    let path = match place(look) {
        0 => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", x - 4.0),
        1 => format!("M{:.1} {:.1}h7.2v7.2h-7.2z", x - 3.6, y - 3.6),
        2 => format!("M{x:.1} {:.1}l4.6 8h-9.2z", y - 5.0),
        3 => format!("M{x:.1} {:.1}l5 5l-5 5l-5 -5z", y - 5.0),
        4 => format!("M{:.1} {:.1}h3v3h3v3h-3v3h-3v-3h-3v-3h3z", x - 1.5, y - 4.5),
        _ => format!("M{:.1} {:.1}h10v4h-10z", x - 5.0, y - 2.0),
    };
    html! { path d=(path) fill=(colour(look)) class=(fill_class(look)) {} }
}

/// The colour and the class of a verdict, and a sign for readers who do not see colours.
pub(in crate::report) const fn of_verdict(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    if verdict.is_failure() {
        ("#f2b8a6", "bad", "✗")
    } else if matches!(verdict, Verdict::Valid) {
        ("#cfe6f7", "good", "✓")
    } else {
        ("#fbe2a8", "warn", "!")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_has_a_class_of_both_style_sheets_and_a_sign_of_its_kind() {
        let sheets = [include_str!("style.css"), include_str!("../html/style.css")];
        for verdict in Verdict::ALL {
            let (colour, class, sign) = of_verdict(verdict);
            assert!(
                colour.starts_with('#') && sheets.iter().all(|sheet| sheet.contains(&format!(".{class}{{")))
            );
            let kind = if verdict.is_failure() { "✗" } else { "!" };
            assert_eq!(sign, if verdict == Verdict::Valid { "✓" } else { kind });
        }
    }
}
