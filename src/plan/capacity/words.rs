//! Loads and outcomes in words.

use records::Mode;

use super::super::outcome::{Meets, Outcome, Worth};
use super::probe::Probe;
use super::rounded::whole;

/// `1,000`, or `12.5` and `1.85` for a rate.
pub(crate) fn load(mode: Mode, load: f64) -> String {
    match mode {
        Mode::Open if load < 10.0 => format!("{load:.2}"),
        Mode::Open if load < 100.0 => format!("{load:.1}"),
        Mode::Closed | Mode::Open => thousands(whole(load)),
    }
}

/// `1,000 users`, or `12.5 requests/s`.
pub(crate) fn load_of(mode: Mode, value: f64) -> String {
    let number = load(mode, value);
    match mode {
        Mode::Closed if whole(value) == 1 => format!("{number} user"),
        Mode::Closed => format!("{number} users"),
        Mode::Open => format!("{number} requests/s"),
    }
}

/// Whether the objective was met, in a word or two.
pub(super) fn outcome(outcome: &Outcome) -> &'static str {
    match (outcome.worth, outcome.objective) {
        (Worth::Figures, Meets::Met) => "met",
        (Worth::Exceeded, _) | (Worth::Figures, Meets::Missed) => "missed",
        // One run of the open model has no interval, so that only its figures tell.
        (Worth::Figures, Meets::Unknown) if outcome.scenario.rate.is_some() => {
            match Probe::of(outcome, 0.0).passes {
                Some(true) => "met, without an interval",
                Some(false) => "missed, without an interval",
                None => "not clear",
            }
        }
        (Worth::Figures, Meets::Unknown) => "too close to tell",
        (Worth::GeneratorLimited, _) => "load generator at its limit",
        (Worth::Unclear, _) => "not clear",
        (Worth::Nothing, _) => "not measured",
    }
}

/// A number with a comma after each three digits.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
