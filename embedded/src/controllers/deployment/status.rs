//! The status of a Deployment.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::counts::{available, desired};
use super::rollout::Limits;
use crate::object::conditions;
use crate::object::metadata::{meta, number};
use crate::store::{Key, Store};
use crate::time::{self, now};

/// Writes the status. Returns the time until the progress deadline, if the rollout is not complete.
pub(super) fn write(
    store: &Store,
    key: &Key,
    deployment: &Value,
    new_set: Option<&Value>,
    old_sets: &[Arc<Value>],
) -> Option<Duration> {
    let all_sets = || new_set.into_iter().chain(old_sets.iter().map(|set| &**set));
    let sum =
        |field: &str| all_sets().filter_map(|set| number(set, &format!("/status/{field}"))).sum::<i64>();
    let total = sum("replicas");
    let updated = new_set.and_then(|set| number(set, "/status/replicas")).unwrap_or(0);
    let available = sum("availableReplicas");
    let desired_total: i64 = all_sets().map(desired).sum();
    let counts = [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (desired_total.max(total) - available).max(0)),
    ];
    let mut status = json!({ "observedGeneration": deployment["metadata"]["generation"] });
    for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status[field] = json!(count);
    }
    let mut conditions = deployment["status"]["conditions"].clone();
    update_available(&mut conditions, deployment, available);
    let again = update_progressing(&mut conditions, deployment, new_set, &status);
    update_replica_failure(&mut conditions, new_set);
    status["conditions"] = conditions;
    // Refused if the Deployment has been deleted meanwhile.
    let _ = store.update(key, |deployment| {
        deployment["status"] = status;
        Ok(())
    });
    again
}

fn update_available(conditions: &mut Value, deployment: &Value, available: i64) {
    let total = desired(deployment);
    let limits = Limits::of(&deployment["spec"]["strategy"]["rollingUpdate"], total);
    let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
    let min_available = if recreate { total } else { total - limits.unavailable };
    if available >= min_available {
        let message = "Deployment has minimum availability.";
        update(conditions, "Available", "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.";
        update(conditions, "Available", "False", "MinimumReplicasUnavailable", message);
    }
}

/// Takes over the condition of the new ReplicaSet, which says why it cannot create pods.
fn update_replica_failure(conditions: &mut Value, new_set: Option<&Value>) {
    const KIND: &str = "ReplicaFailure";
    match new_set.and_then(|set| conditions::of_object(set, KIND)) {
        Some(failure) => {
            let text = |field: &str| failure[field].as_str().unwrap_or_default();
            update(conditions, KIND, "True", text("reason"), text("message"));
        }
        None => {
            if let Some(list) = conditions.as_array_mut() {
                list.retain(|condition| condition["type"] != KIND);
            }
        }
    }
}

fn update_progressing(
    conditions: &mut Value,
    deployment: &Value,
    new_set: Option<&Value>,
    status: &Value,
) -> Option<Duration> {
    let count = |field: &str| number(status, &format!("/{field}")).unwrap_or(0);
    let before = |field: &str| number(deployment, &format!("/status/{field}")).unwrap_or(0);
    let name = new_set.map_or_else(|| meta(deployment, "name"), |set| meta(set, "name")).to_owned();
    let total = desired(deployment);
    let complete = new_set.is_some_and(|set| available(set) >= total)
        && count("updatedReplicas") == total
        && count("replicas") == total
        && count("availableReplicas") >= total;
    if complete {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        update(conditions, "Progressing", "True", "NewReplicaSetAvailable", &message);
        return None;
    }
    let known = conditions::find(conditions, "Progressing").cloned();
    let was_complete = known.as_ref().is_some_and(|known| known["reason"] == "NewReplicaSetAvailable");
    let old = |status: &dyn Fn(&str) -> i64| status("replicas") - status("updatedReplicas");
    let progressed = count("updatedReplicas") > before("updatedReplicas")
        || count("readyReplicas") > before("readyReplicas")
        || count("availableReplicas") > before("availableReplicas")
        || old(&count) < old(&before);
    let limit = number(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    let message = format!("ReplicaSet \"{name}\" is progressing.");
    let Some(known) = known.filter(|_| !was_complete && !progressed) else {
        update(conditions, "Progressing", "True", "ReplicaSetUpdated", &message);
        if let Some(progressing) = conditions::find_mut(conditions, "Progressing") {
            progressing["lastUpdateTime"] = json!(now());
        }
        return Some(Duration::from_secs(limit.unsigned_abs()));
    };
    let since = time::parse(&known["lastUpdateTime"])
        .map_or(0, |at| jiff::Timestamp::now().as_second() - at.as_second());
    if since >= limit {
        let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
        update(conditions, "Progressing", "False", "ProgressDeadlineExceeded", &message);
        return None;
    }
    Some(Duration::from_secs((limit - since).unsigned_abs()))
}

/// Sets a condition. `lastUpdateTime` changes only if status, reason or message change.
fn update(conditions: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    let before = conditions::find(conditions, kind).cloned();
    conditions::set(conditions, kind, status, reason, message);
    let Some(condition) = conditions::find_mut(conditions, kind) else { return };
    let is_same = |before: &Value| {
        ["status", "reason", "message"].iter().all(|field| condition[*field] == before[*field])
    };
    if !before.as_ref().is_some_and(is_same) {
        condition["lastUpdateTime"] = json!(now());
    }
}
