//! Pods that a wait has given up on, so that the next scenario does not wait for them again.
//!
//! The rule: a wait for `r` replicas has failed because of some pods. A later wait for at least `r` replicas needs
//! the same pods, or others in their place. As long as one of the very same pods is there and still not ready for
//! the same cause, it has had all of the first wait's time and more, so that the later wait ends at once. Fewer
//! replicas may not need the pod, a new pod may fare better, and another cause may mean progress: these are
//! waited for in full.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;

use super::pod_state::why_not_ready;

/// The pods of the last wait that failed.
#[derive(Debug, Default)]
pub struct Overdue(Mutex<Option<Noted>>);

#[derive(Debug)]
struct Noted {
    replicas: u32,
    /// The key of each pod's cause, by the pod's UID.
    causes: BTreeMap<String, String>,
    /// What the user was told.
    problem: String,
}

impl Overdue {
    /// Notes a wait for `replicas` replicas that has failed with these pods left.
    pub(super) fn note(&self, replicas: u32, pods: &[Pod], problem: &str) {
        let causes: BTreeMap<_, _> = pods.iter().filter_map(key_of).collect();
        let noted = Noted { replicas, causes, problem: problem.to_owned() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(noted);
    }

    /// What an earlier wait was told, if this one would fail in the same way.
    pub(super) fn holds(&self, replicas: u32, pods: &[Pod]) -> Option<String> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.as_ref().filter(|noted| replicas >= noted.replicas)?;
        let is_same = |pod: &Pod| key_of(pod).is_some_and(|(uid, key)| noted.causes.get(&uid) == Some(&key));
        pods.iter().any(is_same).then(|| noted.problem.clone())
    }
}

fn key_of(pod: &Pod) -> Option<(String, String)> {
    let is_leaving = pod.metadata.deletion_timestamp.is_some();
    let cause = why_not_ready(pod).filter(|_| !is_leaving)?;
    Some((pod.metadata.uid.clone()?, cause.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(uid: &str, gate: &str, ready: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": uid, "uid": uid },
            "spec": { "containers": [], "readinessGates": [{ "conditionType": gate }] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }))
        .unwrap()
    }

    #[test]
    fn the_same_pod_with_the_same_cause_is_not_waited_for_again() {
        let overdue = Overdue::default();
        let shut = pod("a", "lb/target", "False");
        assert_eq!(overdue.holds(1, std::slice::from_ref(&shut)), None, "nothing is noted");
        overdue.note(2, std::slice::from_ref(&shut), "the gate is shut");
        let both = [pod("b", "lb/target", "True"), shut.clone()];
        for replicas in [2, 8] {
            assert_eq!(overdue.holds(replicas, &both).as_deref(), Some("the gate is shut"), "{replicas}");
        }
        for (replicas, pods, why) in [
            (1, vec![shut.clone()], "fewer replicas may do without this pod"),
            (2, vec![pod("c", "lb/target", "False")], "another pod may fare better"),
            (2, vec![pod("a", "other/gate", "False")], "another cause may be progress"),
            (2, vec![pod("a", "lb/target", "True")], "it is ready"),
            (2, vec![], "it is gone"),
        ] {
            assert_eq!(overdue.holds(replicas, &pods), None, "{why}");
        }
    }
}
