//! What a Deployment says of itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bounds, available, replicas, wanted};
use crate::object::{meta, number, set_condition, time};
use crate::store::{Key, Store, now};

/// Writes the status. The time after which a rollout without progress has to be called failed.
pub(super) fn write(
    store: &Store,
    key: &Key,
    deployment: &Value,
    news: Option<&Value>,
    olds: &[Arc<Value>],
) -> Option<Duration> {
    let all = || news.into_iter().chain(olds.iter().map(|old| &**old));
    let sum = |field: &str| all().filter_map(|set| number(set, &format!("/status/{field}"))).sum::<i64>();
    let total = sum("replicas");
    let updated = news.and_then(|news| number(news, "/status/replicas")).unwrap_or(0);
    let usable = sum("availableReplicas");
    let asked: i64 = all().map(replicas).sum();
    let counts = [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", usable),
        ("unavailableReplicas", (asked.max(total) - usable).max(0)),
    ];
    let mut status = json!({ "observedGeneration": deployment["metadata"]["generation"] });
    for (field, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        status[field] = json!(count);
    }
    let mut conditions = deployment["status"]["conditions"].clone();
    judge_availability(&mut conditions, deployment, usable);
    let again = judge_progress(&mut conditions, deployment, news, &status);
    status["conditions"] = conditions;
    // Gone meanwhile: nothing to say about it.
    let _ = store.update(key, |deployment| {
        deployment["status"] = status;
        Ok(())
    });
    again
}

fn judge_availability(conditions: &mut Value, deployment: &Value, usable: i64) {
    let desired = wanted(deployment);
    let bounds = Bounds::of(&deployment["spec"]["strategy"]["rollingUpdate"], desired);
    let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
    let least = if recreate { desired } else { desired - bounds.unavailable };
    if usable >= least {
        let message = "Deployment has minimum availability.";
        update(conditions, "Available", "True", "MinimumReplicasAvailable", message);
    } else {
        let message = "Deployment does not have minimum availability.";
        update(conditions, "Available", "False", "MinimumReplicasUnavailable", message);
    }
}

fn judge_progress(
    conditions: &mut Value,
    deployment: &Value,
    news: Option<&Value>,
    status: &Value,
) -> Option<Duration> {
    let count = |field: &str| number(status, &format!("/{field}")).unwrap_or(0);
    let before = |field: &str| number(deployment, &format!("/status/{field}")).unwrap_or(0);
    let name = news.map_or_else(|| meta(deployment, "name"), |news| meta(news, "name")).to_owned();
    let desired = wanted(deployment);
    let complete = news.is_some_and(|news| available(news) >= desired)
        && count("updatedReplicas") == desired
        && count("replicas") == desired
        && count("availableReplicas") >= desired;
    if complete {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        update(conditions, "Progressing", "True", "NewReplicaSetAvailable", &message);
        return None;
    }
    let known = conditions.as_array().into_iter().flatten().find(|c| c["type"] == "Progressing").cloned();
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
        touch(conditions);
        return Some(Duration::from_secs(limit.unsigned_abs()));
    };
    let since =
        time(&known["lastUpdateTime"]).map_or(0, |at| jiff::Timestamp::now().as_second() - at.as_second());
    if since >= limit {
        let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
        update(conditions, "Progressing", "False", "ProgressDeadlineExceeded", &message);
        return None;
    }
    Some(Duration::from_secs((limit - since).unsigned_abs()))
}

/// Sets a condition; its time of update moves when its words do.
fn update(conditions: &mut Value, kind: &str, status: &str, reason: &str, message: &str) {
    let find = |conditions: &Value| {
        conditions.as_array().into_iter().flatten().find(|condition| condition["type"] == kind).cloned()
    };
    let before = find(conditions);
    set_condition(conditions, kind, status, reason, message);
    let unchanged = before.is_some_and(|before| {
        ["status", "reason", "message"]
            .iter()
            .all(|field| find(conditions).is_some_and(|c| c[field] == before[field]))
    });
    if !unchanged
        && let Some(condition) =
            conditions.as_array_mut().into_iter().flatten().find(|condition| condition["type"] == kind)
    {
        condition["lastUpdateTime"] = json!(now());
    }
}

/// Progress was made just now.
fn touch(conditions: &mut Value) {
    let progressing = conditions.as_array_mut().into_iter().flatten().find(|c| c["type"] == "Progressing");
    if let Some(condition) = progressing {
        condition["lastUpdateTime"] = json!(now());
    }
}
