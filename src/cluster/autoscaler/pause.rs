//! Pausing autoscalers, and putting them back exactly.

use kube::api::Patch;
use serde_json::{Map, Value, json};

use super::found::{Autoscaler, KEDA_PAUSED, Kind, PAUSED, autoscalers_of};
use crate::cluster::connection::{Cluster, patch_params};
use crate::cluster::failure::explain;
use crate::cluster::workload::Workload;
use crate::exit::{Error, ExitCode, Result};

/// The fields of a HorizontalPodAutoscaler's spec that a pause changes.
const CHANGED: [&str; 3] = ["minReplicas", "maxReplicas", "behavior"];

/// How often a change is tried that conflicts with another one.
const CONFLICTS: usize = 5;

/// Pauses every autoscaler of a workload that will have up to `most` replicas. Returns their names. One that a
/// killed run has left paused stays so.
///
/// A HorizontalPodAutoscaler gets a range that has all replica counts of the matrix, and may scale neither up nor
/// down within it.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4.
pub async fn pause_autoscalers(cluster: &Cluster, workload: &Workload, most: u32) -> Result<Vec<String>> {
    let (found, unknown) = autoscalers_of(cluster, workload).await;
    if let Some((why, code)) = unknown {
        // One that is not seen would undo each step of the matrix.
        let (code, next) = if code == Some(403) {
            let rule = "add the rule {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [list, patch]} to \
                 the Role (locust-matrix deploy --config FILE with pause_autoscaler: true does)";
            (ExitCode::Preflight, rule)
        } else {
            (ExitCode::Cluster, "check that the cluster runs: kubectl get --raw /readyz")
        };
        return Err(not_listed(workload, &why, code).next(next));
    }
    let mut paused = Vec::new();
    for one in &found {
        patch(cluster, one, "pause", |one| match one.kind {
            Kind::HorizontalPodAutoscaler => pause_of(one, most),
            Kind::ScaledObject if one.is_paused_by_us() => None,
            Kind::ScaledObject => {
                Some(json!({ "metadata": { "annotations": { KEDA_PAUSED: "true", PAUSED: "{}" } } }))
            }
        })
        .await?;
        paused.push(one.title());
    }
    Ok(paused)
}

fn not_listed(workload: &Workload, why: &str, code: ExitCode) -> Error {
    Error::new(code, format!("autoscalers of {} cannot be listed: {why}", workload.describe()))
}

/// Puts back every autoscaler of a workload that this program has paused. Returns their names.
///
/// # Errors
/// Exit code 3 if the permission is missing, else 4; the others are put back all the same.
pub async fn resume_autoscalers(cluster: &Cluster, workload: &Workload) -> Result<Vec<String>> {
    let (found, unknown) = autoscalers_of(cluster, workload).await;
    if let Some((why, _)) = unknown {
        let next = format!("if one has the annotation {PAUSED}, put back what it says");
        return Err(not_listed(workload, &why, ExitCode::Cluster).next(next));
    }
    let (mut resumed, mut failed) = (Vec::new(), None);
    for one in found.iter().filter(|one| one.is_paused_by_us()) {
        let resumed_now = patch(cluster, one, "resume", |one| match one.kind {
            // Somebody else may have put it back meanwhile.
            _ if !one.is_paused_by_us() => None,
            Kind::HorizontalPodAutoscaler => Some(resume_of(one)),
            Kind::ScaledObject => {
                Some(json!({ "metadata": { "annotations": { KEDA_PAUSED: null, PAUSED: null } } }))
            }
        });
        match resumed_now.await {
            Ok(()) => resumed.push(one.title()),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(resumed), Err)
}

/// Changes an autoscaler, if there is something to change. Its controller writes its status all the time, so that it is
/// read again if it has changed since.
async fn patch(
    cluster: &Cluster,
    one: &Autoscaler,
    verb: &str,
    changes: impl Fn(&Autoscaler) -> Option<Value>,
) -> Result<()> {
    let api = one.kind.api(cluster);
    let mut one = one.clone();
    for left in (0..CONFLICTS).rev() {
        let Some(mut changes) = changes(&one) else { return Ok(()) };
        // If somebody has changed it since it was read, that change would be lost.
        changes["metadata"]["resourceVersion"] = json!(one.object.metadata.resource_version);
        let refused = match api.patch(one.name(), &patch_params(), &Patch::Merge(changes)).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && left > 0 => {
                let read = api.get(one.name()).await;
                one.object = read.map_err(|error| explain(&format!("read {}", one.title()), &error))?;
                continue;
            }
            Err(error) => error,
        };
        let explained = explain(&format!("{verb} {}", one.title()), &refused);
        return Err(match refused {
            kube::Error::Api(status) if status.code == 403 => explained.next(format!(
                "add the rule {{apiGroups: ['{}'], resources: [{}], verbs: [list, patch]}} to the Role \
                 (locust-matrix deploy --config FILE with pause_autoscaler: true does), or {verb} it by hand",
                one.kind.resource().group,
                one.kind.resource().plural
            )),
            _ => explained,
        });
    }
    Ok(())
}

/// The change that pauses a HorizontalPodAutoscaler; `None` if it is paused already, for as many replicas.
fn pause_of(one: &Autoscaler, most: u32) -> Option<Value> {
    let spec = &one.object.data["spec"];
    let highest = spec["maxReplicas"].as_u64().unwrap_or(0).max(u64::from(most));
    if one.is_paused_by_us() && spec["maxReplicas"] == highest {
        return None;
    }
    let disabled = json!({ "selectPolicy": "Disabled" });
    let pause = json!({
        "minReplicas": 1, "maxReplicas": highest,
        "behavior": { "scaleUp": disabled, "scaleDown": disabled },
    });
    let mut changes = json!({ "spec": pause });
    if !one.is_paused_by_us() {
        let before: Map<String, Value> =
            CHANGED.iter().map(|field| ((*field).to_owned(), spec[*field].clone())).collect();
        changes["metadata"]["annotations"][PAUSED] = Value::Object(before).to_string().into();
    }
    Some(changes)
}

/// The change that undoes [`pause_of`].
fn resume_of(one: &Autoscaler) -> Value {
    let annotations = one.object.metadata.annotations.as_ref();
    let before = annotations.and_then(|all| serde_json::from_str::<Value>(all.get(PAUSED)?).ok());
    let mut changes = json!({ "metadata": { "annotations": { PAUSED: null } } });
    if let Some(before) = before {
        for field in CHANGED {
            changes["spec"][field] = exactly(&one.object.data["spec"][field], &before[field]);
        }
    }
    changes
}

/// The merge patch that makes `wanted` out of `present`: it removes what only `present` has.
fn exactly(present: &Value, wanted: &Value) -> Value {
    let (Value::Object(present), Value::Object(wanted)) = (present, wanted) else { return wanted.clone() };
    let surplus = present.keys().filter(|key| !wanted.contains_key(*key));
    let mut patch: Map<String, Value> = surplus.map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in wanted {
        patch.insert(key.clone(), exactly(present.get(key).unwrap_or(&Value::Null), value));
    }
    Value::Object(patch)
}
