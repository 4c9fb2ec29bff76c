//! The arithmetic of a rolling update.

use serde_json::Value;

/// How far a rollout may stray from the wanted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Pods above it.
    pub(super) surge: i64,
    /// Pods below it that may be unavailable.
    pub(super) unavailable: i64,
}

impl Bounds {
    /// From a strategy: numbers or percentages of the wanted number, a quarter unless given.
    pub(super) fn of(strategy: &Value, desired: i64) -> Self {
        let surge = portion(&strategy["maxSurge"], desired, true);
        let unavailable = portion(&strategy["maxUnavailable"], desired, false);
        // With neither, nothing could ever move.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self { surge, unavailable: unavailable.min(desired.max(1)) }
    }
}

fn portion(value: &Value, of: i64, up: bool) -> i64 {
    let percent = match value {
        Value::Number(number) => return number.as_i64().unwrap_or(0).max(0),
        Value::String(text) => text.trim_end_matches('%').parse::<i64>().unwrap_or(25),
        _ => 25,
    };
    let hundredths = of * percent.max(0);
    if up { (hundredths + 99) / 100 } else { hundredths / 100 }
}

/// What a ReplicaSet is asked for, and what of it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) wanted: i64,
    pub(super) available: i64,
}

/// What the sets should be asked for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) new: i64,
    /// In the order given: the oldest first.
    pub(super) olds: Vec<i64>,
}

/// The next step: first up as far as the surge allows, then down as far as availability does. Pods that
/// are not available go before those that are.
pub(super) fn step(desired: i64, bounds: Bounds, new: Set, olds: &[Set]) -> Step {
    let mut step = Step { new: new.wanted, olds: olds.iter().map(|old| old.wanted).collect() };
    let old_wanted: i64 = step.olds.iter().sum();
    if new.wanted > desired {
        step.new = desired;
        return step;
    }
    if new.wanted < desired {
        let room = desired + bounds.surge - (new.wanted + old_wanted);
        step.new = new.wanted + room.clamp(0, desired - new.wanted);
        if step.new != new.wanted {
            return step;
        }
    }
    let least = desired - bounds.unavailable;
    let mut may_go = new.wanted + old_wanted - least - (new.wanted - new.available).max(0);
    for (wanted, old) in step.olds.iter_mut().zip(olds) {
        let useless = (old.wanted - old.available).max(0).min(may_go.max(0));
        *wanted -= useless;
        may_go -= useless;
    }
    // What is no longer asked for is about to go, though it may still be counted as available.
    let usable = |old: &Set| old.available.min(old.wanted);
    let available = new.available + olds.iter().map(usable).sum::<i64>();
    let mut may_go = (available - least).max(0);
    for (wanted, old) in step.olds.iter_mut().zip(olds) {
        let goes = (*wanted).min(usable(old)).min(may_go);
        *wanted -= goes;
        may_go -= goes;
    }
    step
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn bounds(surge: &Value, unavailable: &Value, desired: i64) -> (i64, i64) {
        let bounds = Bounds::of(&json!({ "maxSurge": surge, "maxUnavailable": unavailable }), desired);
        (bounds.surge, bounds.unavailable)
    }

    #[test]
    fn percentages_round_so_that_a_rollout_can_move() {
        assert_eq!(bounds(&json!("25%"), &json!("25%"), 3), (1, 0));
        assert_eq!(bounds(&json!(0), &json!("100%"), 8), (0, 8));
        assert_eq!(bounds(&json!(0), &json!(0), 3), (0, 1));
        assert_eq!(bounds(&json!(2), &json!(1), 3), (2, 1));
        assert_eq!(bounds(&Value::Null, &Value::Null, 4), (1, 1));
    }

    #[test]
    fn all_at_once_first_goes_down_and_then_up() {
        let bounds = Bounds { surge: 0, unavailable: 3 };
        let old = Set { wanted: 3, available: 3 };
        let first = step(3, bounds, Set { wanted: 0, available: 0 }, &[old]);
        assert_eq!(first, Step { new: 0, olds: vec![0] });
        let then = step(3, bounds, Set { wanted: 0, available: 0 }, &[Set { wanted: 0, available: 0 }]);
        assert_eq!(then, Step { new: 3, olds: vec![0] });
    }

    #[test]
    fn a_surge_comes_up_before_an_old_pod_goes() {
        let bounds = Bounds { surge: 1, unavailable: 0 };
        let old = Set { wanted: 3, available: 3 };
        assert_eq!(step(3, bounds, Set { wanted: 0, available: 0 }, &[old]).new, 1);
        let waiting = step(3, bounds, Set { wanted: 1, available: 0 }, &[old]);
        assert_eq!(waiting, Step { new: 1, olds: vec![3] }, "the new one is not available yet");
        let ready = step(3, bounds, Set { wanted: 1, available: 1 }, &[old]);
        assert_eq!(ready, Step { new: 1, olds: vec![2] });
    }

    #[test]
    fn a_pod_that_is_going_is_not_counted_though_it_is_still_there() {
        let bounds = Bounds { surge: 1, unavailable: 0 };
        // One of three was given up a moment ago, and its set has not followed yet.
        let old = Set { wanted: 2, available: 3 };
        let step = step(3, bounds, Set { wanted: 2, available: 1 }, &[old]);
        assert_eq!(step, Step { new: 2, olds: vec![2] });
    }

    #[test]
    fn a_broken_old_pod_goes_first() {
        let bounds = Bounds { surge: 1, unavailable: 0 };
        let step = step(2, bounds, Set { wanted: 1, available: 0 }, &[Set { wanted: 2, available: 1 }]);
        assert_eq!(step.olds, [2], "one is available of two wanted: nothing may go");
    }

    proptest! {
        /// From any state a rollout comes to its end, and on the way neither bound is crossed.
        #[test]
        fn every_rollout_ends_within_its_bounds(desired in 0_i64..12, surge in 0_i64..4, unavailable in 0_i64..12, olds in prop::collection::vec(0_i64..6, 0..3)) {
            let bounds = Bounds::of(&json!({ "maxSurge": surge, "maxUnavailable": unavailable }), desired);
            let mut new = Set { wanted: 0, available: 0 };
            let mut olds: Vec<Set> = olds.into_iter().map(|n| Set { wanted: n, available: n }).collect();
            let most = (desired + bounds.surge).max(olds.iter().map(|old| old.wanted).sum());
            for _ in 0..60 {
                let before = new.available + olds.iter().map(|old| old.available).sum::<i64>();
                let next = step(desired, bounds, new, &olds);
                new.wanted = next.new;
                for (old, wanted) in olds.iter_mut().zip(&next.olds) {
                    prop_assert!((0..=old.wanted).contains(wanted));
                    *old = Set { wanted: *wanted, available: old.available.min(*wanted) };
                }
                let total = new.wanted + olds.iter().map(|old| old.wanted).sum::<i64>();
                let available = new.available.min(new.wanted) + olds.iter().map(|old| old.available).sum::<i64>();
                prop_assert!(total <= most);
                prop_assert!(available >= before.min(desired - bounds.unavailable));
                // One more pod becomes available.
                new.available = (new.available + 1).min(new.wanted);
            }
            prop_assert_eq!(new.wanted, desired);
            prop_assert!(olds.iter().all(|old| old.wanted == 0));
        }
    }
}
