//! Whether a workload is ready, decided from its status and its pods without I/O.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodTemplateSpec};
use kube::api::DynamicObject;
use kube::core::discovery::ApiResource;
use serde_json::Value;

use super::kinds;
use super::pod_state::{is_over, is_ready, startup_failure, why_not_ready};

/// The state of a workload on its way to the requested replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Exactly the requested pods exist, all of them ready, none terminating.
    Ready,
    /// Not ready yet; the text says what is missing.
    NotYet(String),
    /// Its spec has another number of replicas. If this lasts, somebody else has set it.
    Rescaled(i64),
    /// A pod cannot be placed on a node. If this lasts, the cluster is too small.
    Unplaced(String),
    /// The server refuses a pod. If this lasts, somebody must change something.
    Refused {
        /// The server's words.
        problem: String,
        /// When the first of the refusals came that have not been followed by a success.
        since: Option<Timestamp>,
    },
    /// A pod cannot start until somebody changes something.
    Broken(String),
}

/// The times that an assessment depends on.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From when on the workload has no load.
    pub without_load_from: Timestamp,
    /// The present.
    pub now: Timestamp,
}

/// Assesses a workload that should have `replicas` replicas, by its own pods.
///
/// kube's own `is_deployment_completed` checks neither the generation nor the replica count, so it can be
/// true before scaling has begun. Whether a pod counts as available (`minReadySeconds`) does not matter: a Service
/// sends requests to every pod that is ready.
pub fn assess(
    kind: &ApiResource,
    object: Option<&DynamicObject>,
    pods: &[Pod],
    replicas: u32,
    Times { without_load_from, now }: Times,
) -> Assessment {
    let Some(object) = object else { return Assessment::NotYet("it does not exist".into()) };
    let status = Status::of(kind, object);
    let requested = i64::from(replicas);
    if let Some(other) = status.wanted.filter(|wanted| *wanted != requested) {
        return Assessment::Rescaled(other);
    }
    if !status.is_observed {
        return Assessment::NotYet("its controller has not observed the change yet".into());
    }
    let living = || pods.iter().filter(|pod| !is_over(pod));
    let leaving: Vec<&Pod> = living().filter(|pod| pod.metadata.deletion_timestamp.is_some()).collect();
    let staying = || living().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    // An admission webhook may alter pods, so that they never match the template. Once only updated pods
    // remain, their failures count even so.
    let all_updated = status
        .updated
        .is_none_or(|updated| usize::try_from(updated).is_ok_and(|updated| updated >= staying().count()));
    let failure = |pod| {
        startup_failure(pod, without_load_from).filter(|_| all_updated || matches_template(pod, object))
    };
    if let Some(problem) = staying().find_map(failure) {
        return Assessment::Broken(problem);
    }
    if let Some((problem, since)) = status.refusal {
        return Assessment::Refused { problem, since };
    }
    // A terminating pod may still hold the resources that another pod waits for.
    if leaving.is_empty()
        && let Some(problem) = staying().find_map(scheduling_failure)
    {
        return Assessment::Unplaced(problem);
    }
    let ready = staying().filter(|pod| is_ready(pod)).count();
    let is_complete = status.counts.iter().all(|count| *count == requested);
    // A replica of a custom kind may be a group of pods. Then its own counts say how many there are.
    let (pods_wanted, groups) = (replicas as usize, !kinds::is_builtin(kind) && status.counts.len() == 2);
    let is_enough = |count: usize| count == pods_wanted || groups && count > pods_wanted;
    let exact = ready == staying().count() && is_enough(ready);
    if is_complete && exact && leaving.is_empty() {
        return Assessment::Ready;
    }
    let mut words = format!("{ready} of {replicas} pods ready");
    if !leaving.is_empty() {
        words = format!("{words}, {}", terminating(&leaving, now));
    }
    let unready = staying().find_map(|pod| Some((pod.metadata.name.as_deref()?, why_not_ready(pod)?)));
    if let Some((name, cause)) = unready {
        words = format!("{words}; {name}: {}", cause.words);
    } else if exact && leaving.is_empty() && status.min_ready > 0 {
        words = format!("{words}; its rollout waits for minReadySeconds: {} of each pod", status.min_ready);
    } else if staying().count() > replicas as usize {
        words = format!("{words}, {} too many", staying().count() - replicas as usize);
    }
    Assessment::NotYet(words)
}

/// When the last terminating pod must have left: a pod that is being deleted has the end of its grace period as
/// its deletion time.
pub(super) fn leave_by(pods: &[Pod]) -> Option<Timestamp> {
    let living = pods.iter().filter(|pod| !is_over(pod));
    living.filter_map(|pod| pod.metadata.deletion_timestamp.as_ref()).map(|time| time.0).max()
}

fn terminating(leaving: &[&Pod], now: Timestamp) -> String {
    /// More names would hide the rest of the sentence.
    const NAMED: usize = 3;
    let names: Vec<_> = leaving.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    let names = names.get(..NAMED).unwrap_or(&names).join(", ");
    let times = leaving.iter().filter_map(|pod| pod.metadata.deletion_timestamp.as_ref());
    let left = times.map(|time| time.0.duration_since(now).as_secs()).max().unwrap_or(0);
    let when = if left > 0 {
        format!("for up to {left} s more (their grace period)")
    } else {
        "although their grace period is over".to_owned()
    };
    format!("{} terminating {when}: {names}{more}", leaving.len())
}

/// What the status of a workload says. Each kind has its own fields, and only those that are there count.
struct Status {
    /// The replicas in its spec; `None` if only its scale knows.
    wanted: Option<i64>,
    is_observed: bool,
    /// Pods with the present template; `None` if that does not matter or is not known.
    updated: Option<i64>,
    /// Counts that must be equal to the replicas.
    counts: Vec<i64>,
    /// Why its pods are refused, and since when.
    refusal: Option<(String, Option<Timestamp>)>,
    min_ready: i64,
}

impl Status {
    fn of(kind: &ApiResource, object: &DynamicObject) -> Self {
        let (spec, status) = (&object.data["spec"], &object.data["status"]);
        let kind = kinds::is_builtin(kind).then_some(kind.kind.as_str());
        let count = |field: &str| status[field].as_i64();
        // In its status, a built-in kind leaves out what is zero.
        let certain = |field: &str| count(field).unwrap_or(0);
        let (updated, counts) = match kind {
            Some("Deployment") => {
                let updated = certain("updatedReplicas");
                (Some(updated), vec![certain("replicas"), updated, certain("readyReplicas")])
            }
            Some("StatefulSet") => {
                let strategy = &spec["updateStrategy"];
                let partition = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or(0);
                // Then the set keeps pods of the old template on purpose.
                let keeps_old = strategy["type"] == "OnDelete" || partition > 0;
                let mut counts = vec![certain("replicas"), certain("readyReplicas")];
                if !keeps_old {
                    counts.push(certain("updatedReplicas"));
                }
                ((!keeps_old).then(|| certain("updatedReplicas")), counts)
            }
            _ => (None, ["replicas", "readyReplicas"].into_iter().filter_map(count).collect()),
        };
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let refused = |one: &&Value| one["type"] == "ReplicaFailure" && one["status"] == "True";
        let refusal = conditions.into_iter().find(refused).map(|one| {
            let since = one["lastTransitionTime"].as_str().and_then(|time| time.parse().ok());
            (one["message"].as_str().unwrap_or("pods are refused").to_owned(), since)
        });
        Self {
            wanted: spec["replicas"].as_i64().or(kind.map(|_| 1)),
            is_observed: is_observed(object, kind.is_some()),
            updated,
            counts,
            refusal,
            min_ready: spec["minReadySeconds"].as_i64().unwrap_or(0),
        }
    }
}

/// Whether the controller has seen the present spec. Some custom kinds write their generation as text, and some not
/// at all.
fn is_observed(object: &DynamicObject, is_builtin: bool) -> bool {
    let observed = &object.data["status"]["observedGeneration"];
    let observed = observed.as_i64().or_else(|| observed.as_str()?.parse().ok());
    let generation = object.metadata.generation.unwrap_or(0);
    observed.map_or(!is_builtin || generation == 0, |observed| observed >= generation)
}

/// Whether a pod was made from the workload's present template. A pod of an earlier template stays for a
/// moment; if it does not start, the new template may be the remedy.
fn matches_template(pod: &Pod, object: &DynamicObject) -> bool {
    let Ok(template) = serde_json::from_value::<PodTemplateSpec>(object.data["spec"]["template"].clone())
    else {
        return false;
    };
    let has = |own: Option<&BTreeMap<String, String>>, expected: Option<&BTreeMap<String, String>>| {
        let mut expected = expected.into_iter().flatten();
        expected.all(|(key, value)| own.and_then(|own| own.get(key)) == Some(value))
    };
    let metadata = template.metadata.as_ref();
    has(pod.metadata.labels.as_ref(), metadata.and_then(|metadata| metadata.labels.as_ref()))
        && has(pod.metadata.annotations.as_ref(), metadata.and_then(|metadata| metadata.annotations.as_ref()))
        && containers(template.spec.as_ref())
            .all(|expected| containers(pod.spec.as_ref()).any(|own| is_started_like(own, expected)))
}

fn containers(spec: Option<&PodSpec>) -> impl Iterator<Item = &Container> {
    spec.into_iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers))
}

fn is_started_like(own: &Container, expected: &Container) -> bool {
    let startup = |one: &Container| {
        let Container { name, image, command, args, env, env_from, .. } = one.clone();
        (name, image, command, args, env, env_from)
    };
    startup(own) == startup(expected)
}

/// Why the scheduler finds no node for this pod.
fn scheduling_failure(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let condition = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled")?;
    (condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable"))
        .then(|| condition.message.clone().unwrap_or_else(|| "cannot be scheduled".into()))
}

#[cfg(test)]
mod tests;
