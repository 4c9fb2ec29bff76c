//! The window of a measurement in its intervals.

use records::{Interval, StoppingRule};

use super::steady::steady_from;

/// The length of each interval, s. A window needs five steady intervals, so each lasts a fifth of the time that
/// was asked for; if the measurement may end early, a twentieth, so that it can end after a quarter.
pub fn interval_s(rule: &StoppingRule) -> f64 {
    if !rule.exact {
        return rule.duration_s;
    }
    let agreeing = rule.agreeing as f64;
    let intervals = if rule.stop_early_after_s.is_some() { 4.0 * agreeing } else { agreeing };
    rule.duration_s / intervals
}

/// The first interval of the row's window. The window is the steady state, or, without one, as many
/// intervals at the end as the time asked for takes.
pub fn window_from(rule: &StoppingRule, intervals: &[Interval]) -> usize {
    if !rule.exact {
        return 0;
    }
    if let Ok(from) = steady_from(rule, intervals) {
        return from;
    }
    let (mut from, mut seconds) = (intervals.len(), 0.0);
    while from > 0 && seconds + interval_s(rule) / 2.0 < rule.duration_s {
        from -= 1;
        seconds += intervals[from].seconds;
    }
    from
}

/// Whether the measurement may not be longer.
pub(super) fn is_longest(rule: &StoppingRule, intervals: &[Interval]) -> bool {
    let measured: f64 = intervals.iter().map(|interval| interval.seconds).sum();
    measured + interval_s(rule) / 2.0 >= rule.most_s
}
