//! The arithmetic of a rolling update.

use serde_json::Value;

/// How far the number of pods may differ from the desired number during a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Largest number of pods above the desired number.
    pub(super) surge: i64,
    /// Largest number of desired pods that may be unavailable.
    pub(super) unavailable: i64,
}

impl Limits {
    /// The limits of a strategy: numbers, or percentages of the desired number. Default: 25 %.
    pub(super) fn of(strategy: &Value, desired: i64) -> Self {
        let surge = portion(&strategy["maxSurge"], desired, true);
        let unavailable = portion(&strategy["maxUnavailable"], desired, false);
        // If both round to 0, the rollout could never make a step.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        // More is the same as all pods again, and does not overflow.
        Self { surge: surge.min(i32::MAX.into()), unavailable: unavailable.min(desired.max(1)) }
    }
}

/// A number, or a percentage of `of` that is rounded up or down.
fn portion(value: &Value, of: i64, round_up: bool) -> i64 {
    let percent = match value {
        Value::Number(number) => return number.as_i64().unwrap_or(0).max(0),
        Value::String(text) => text.trim_end_matches('%').parse::<i64>().unwrap_or(25),
        _ => 25,
    };
    let hundredths = of.saturating_mul(percent.max(0));
    if round_up { hundredths.saturating_add(99) / 100 } else { hundredths / 100 }
}

/// Desired and available replicas of a ReplicaSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replicas {
    pub(super) desired: i64,
    pub(super) available: i64,
}

/// The replicas that each set should have next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) new_set: i64,
    /// In the order of the argument: the oldest set first.
    pub(super) old_sets: Vec<i64>,
}

/// The next step. The new set grows as far as the surge allows. Only if it cannot grow, old sets shrink as
/// far as availability allows: pods that are not available first.
pub(super) fn step(total: i64, limits: Limits, new_set: Replicas, old_sets: &[Replicas]) -> Step {
    let mut step =
        Step { new_set: new_set.desired, old_sets: old_sets.iter().map(|set| set.desired).collect() };
    let old_desired: i64 = step.old_sets.iter().sum();
    if new_set.desired > total {
        step.new_set = total;
        return step;
    }
    if new_set.desired < total {
        let room = total + limits.surge - (new_set.desired + old_desired);
        step.new_set = new_set.desired + room.clamp(0, total - new_set.desired);
        if step.new_set != new_set.desired {
            return step;
        }
    }
    let min_available = total - limits.unavailable;
    let new_unavailable = (new_set.desired - new_set.available).max(0);
    let mut removable = new_set.desired + old_desired - min_available - new_unavailable;
    for (count, set) in step.old_sets.iter_mut().zip(old_sets) {
        let removed = (set.desired - set.available).max(0).min(removable.max(0));
        *count -= removed;
        removable -= removed;
    }
    // A pod that is no longer desired is about to end, although it may still be counted as available.
    let staying = |set: &Replicas| set.available.min(set.desired);
    let available = new_set.available + old_sets.iter().map(staying).sum::<i64>();
    let mut removable = (available - min_available).max(0);
    for (count, set) in step.old_sets.iter_mut().zip(old_sets) {
        let removed = (*count).min(staying(set)).min(removable);
        *count -= removed;
        removable -= removed;
    }
    step
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn limits(surge: &Value, unavailable: &Value, desired: i64) -> (i64, i64) {
        let limits = Limits::of(&json!({ "maxSurge": surge, "maxUnavailable": unavailable }), desired);
        (limits.surge, limits.unavailable)
    }

    #[test]
    fn surge_rounds_up_and_unavailable_rounds_down() {
        assert_eq!(limits(&json!("25%"), &json!("25%"), 3), (1, 0));
        assert_eq!(limits(&json!(0), &json!("100%"), 8), (0, 8));
        assert_eq!(limits(&json!(0), &json!(0), 3), (0, 1));
        assert_eq!(limits(&json!(2), &json!(1), 3), (2, 1));
        assert_eq!(limits(&Value::Null, &Value::Null, 4), (1, 1));
    }

    #[test]
    fn without_surge_old_pods_end_before_new_pods_start() {
        let limits = Limits { surge: 0, unavailable: 3 };
        let old = Replicas { desired: 3, available: 3 };
        let first = step(3, limits, Replicas { desired: 0, available: 0 }, &[old]);
        assert_eq!(first, Step { new_set: 0, old_sets: vec![0] });
        let then =
            step(3, limits, Replicas { desired: 0, available: 0 }, &[Replicas { desired: 0, available: 0 }]);
        assert_eq!(then, Step { new_set: 3, old_sets: vec![0] });
    }

    #[test]
    fn with_surge_new_pods_are_available_before_old_pods_end() {
        let limits = Limits { surge: 1, unavailable: 0 };
        let old = Replicas { desired: 3, available: 3 };
        assert_eq!(step(3, limits, Replicas { desired: 0, available: 0 }, &[old]).new_set, 1);
        let waiting = step(3, limits, Replicas { desired: 1, available: 0 }, &[old]);
        assert_eq!(waiting, Step { new_set: 1, old_sets: vec![3] }, "the new one is not available yet");
        let ready = step(3, limits, Replicas { desired: 1, available: 1 }, &[old]);
        assert_eq!(ready, Step { new_set: 1, old_sets: vec![2] });
    }

    #[test]
    fn a_pod_that_is_no_longer_desired_does_not_count_as_available() {
        let limits = Limits { surge: 1, unavailable: 0 };
        // The old set was scaled from 3 to 2, and its controller has not deleted the pod yet.
        let old = Replicas { desired: 2, available: 3 };
        let step = step(3, limits, Replicas { desired: 2, available: 1 }, &[old]);
        assert_eq!(step, Step { new_set: 2, old_sets: vec![2] });
    }

    #[test]
    fn an_old_pod_stays_if_too_few_are_available() {
        let limits = Limits { surge: 1, unavailable: 0 };
        let step =
            step(2, limits, Replicas { desired: 1, available: 0 }, &[Replicas { desired: 2, available: 1 }]);
        assert_eq!(step.old_sets, [2], "only one of two desired pods is available");
    }

    proptest! {
        /// A rollout from any state completes, and never exceeds its limits.
        #[test]
        fn every_rollout_completes_within_its_limits(total in 0_i64..12, surge in 0_i64..4, unavailable in 0_i64..12, old_sets in prop::collection::vec(0_i64..6, 0..3)) {
            let limits = Limits::of(&json!({ "maxSurge": surge, "maxUnavailable": unavailable }), total);
            let mut new_set = Replicas { desired: 0, available: 0 };
            let mut old_sets: Vec<Replicas> = old_sets.into_iter().map(|n| Replicas { desired: n, available: n }).collect();
            let most = (total + limits.surge).max(old_sets.iter().map(|old| old.desired).sum());
            for _ in 0..60 {
                let before = new_set.available + old_sets.iter().map(|old| old.available).sum::<i64>();
                let next = step(total, limits, new_set, &old_sets);
                new_set.desired = next.new_set;
                for (old, count) in old_sets.iter_mut().zip(&next.old_sets) {
                    prop_assert!((0..=old.desired).contains(count));
                    *old = Replicas { desired: *count, available: old.available.min(*count) };
                }
                let all = new_set.desired + old_sets.iter().map(|old| old.desired).sum::<i64>();
                let available = new_set.available.min(new_set.desired) + old_sets.iter().map(|old| old.available).sum::<i64>();
                prop_assert!(all <= most);
                prop_assert!(available >= before.min(total - limits.unavailable));
                // One more new pod becomes available.
                new_set.available = (new_set.available + 1).min(new_set.desired);
            }
            prop_assert_eq!(new_set.desired, total);
            prop_assert!(old_sets.iter().all(|old| old.desired == 0));
        }
    }
}
