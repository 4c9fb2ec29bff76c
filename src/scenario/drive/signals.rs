//! What can be told about a measurement while it goes on.

use records::{Interval, StoppingRule};

use crate::events::Progress;
use crate::load::Snapshot;
use crate::measure::{Saturation, accounted, unsteady_because};

/// The signals after these intervals, with the first and the latest cut.
pub(super) fn signals(
    rule: &StoppingRule,
    intervals: &[Interval],
    first: &Snapshot,
    latest: &Snapshot,
) -> Progress {
    let saturations = latest.workers.iter().filter_map(|worker| {
        let earlier = first.workers.iter().find(|other| other.id == worker.id)?;
        Saturation::of(&worker.health.as_ref()?.since(earlier.health.as_ref()?))
    });
    let saturations: Vec<Saturation> = saturations.collect();
    Progress::Signals {
        unsteady: unsteady_because(rule, intervals),
        accounted_pct: accounted_pct(rule, intervals),
        cpu_pct: saturations.iter().map(|worker| 100.0 * worker.cpu).reduce(f64::max),
        lag_us: saturations.iter().filter_map(|worker| worker.lag_us).max(),
    }
}

/// The users that Little's law accounts for: throughput × (response + think time), % of those that run.
fn accounted_pct(rule: &StoppingRule, intervals: &[Interval]) -> Option<f64> {
    let users = rule.users.filter(|users| *users > 0)?;
    let sum = Interval::sum(intervals);
    (sum.seconds > 0.0 && sum.requests > 0).then(|| {
        let Interval { seconds, requests, total_ms, waited_s, .. } = sum;
        100.0 * accounted(rule.think_s, waited_s, requests, total_ms, seconds) / f64::from(users)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn a_closed_loop_accounts_for_all_of_its_users() {
        let record = record(0, 1, 20, 800);
        let rule = record.stopping_rule.unwrap();
        let share = accounted_pct(&rule, &record.intervals).unwrap();
        assert!((share - 100.0).abs() < 1e-6, "{share}");
        // Users that wait for half of the time are accounted for by their responses and by what they have waited.
        let rule = StoppingRule { think_s: 0.0, ..rule };
        let busy = accounted_pct(&rule, &record.intervals).unwrap();
        let mut waited = record.intervals.clone();
        for interval in &mut waited {
            (interval.waited_s, interval.total_ms) =
                (Some(interval.total_ms / 2000.0), interval.total_ms / 2.0);
        }
        let share = accounted_pct(&rule, &waited).unwrap();
        assert!((share - busy).abs() < 1e-6, "{share} instead of {busy}");
        assert_eq!(accounted_pct(&StoppingRule { users: None, ..rule }, &record.intervals), None);
    }
}
