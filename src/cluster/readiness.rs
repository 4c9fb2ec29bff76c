//! Readiness as a value: a Deployment and its pods, judged without I/O.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

/// What a Deployment and its pods amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Exactly the wanted pods are there, all of them ready, none on its way out.
    Ready,
    /// Not yet; in words, what is missing.
    NotYet(String),
    /// A pod cannot be placed; lasting, this means the cluster is too small.
    Unplaced(String),
    /// A pod will not start without help.
    Broken(String),
}

/// Judges a Deployment that should have `wanted` replicas.
///
/// The ready-made condition of kube's runtime looks at neither the generation nor the replica count,
/// so it can hold before a scale has begun.
pub fn assess(deployment: Option<&Deployment>, pods: &[Pod], wanted: u32) -> Assessment {
    let Some(deployment) = deployment else {
        return Assessment::NotYet("the deployment is not there".into());
    };
    let status = deployment.status.clone().unwrap_or_default();
    let spec_replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let generation = deployment.metadata.generation.unwrap_or(0);
    let wanted_i32 = i32::try_from(wanted).unwrap_or(i32::MAX);
    if spec_replicas != wanted_i32 {
        return Assessment::NotYet(format!("{spec_replicas} replicas are asked for, not {wanted}"));
    }
    if status.observed_generation.unwrap_or(0) < generation {
        return Assessment::NotYet("the change is not observed yet".into());
    }
    let leaving = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
    let staying = || pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    // What an admission webhook has changed is like no template; where no other pods are left, it is meant.
    let all_updated =
        usize::try_from(status.updated_replicas.unwrap_or(0)).is_ok_and(|count| count >= staying().count());
    let problem = |pod| broken(pod).filter(|_| all_updated || is_current(pod, deployment));
    if let Some(problem) = staying().find_map(problem) {
        return Assessment::Broken(problem);
    }
    let quota =
        status.conditions.iter().flatten().find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    if let Some(condition) = quota {
        return Assessment::Unplaced(condition.message.clone().unwrap_or_else(|| "pods are refused".into()));
    }
    // A pod on its way out may still hold the room that this one waits for.
    if leaving == 0
        && let Some(problem) = staying().find_map(unplaced)
    {
        return Assessment::Unplaced(problem);
    }
    let ready = staying().filter(|pod| is_ready(pod)).count();
    let counts = [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
    if counts.iter().any(|count| count.unwrap_or(0) != wanted_i32) || ready != wanted as usize || leaving > 0
    {
        let waiting =
            staying().find_map(waiting_for).map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Assessment::NotYet(format!("{ready} of {wanted} pods ready, {leaving} leaving{waiting}"));
    }
    Assessment::Ready
}

/// Whether the pod's own condition says that it can be used.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a pod is what the Deployment makes now: one of an earlier template stays for a moment, and that it
/// does not start may be what the new template mends.
fn is_current<'a>(pod: &'a Pod, deployment: &'a Deployment) -> bool {
    let Some(template) = deployment.spec.as_ref().map(|spec| &spec.template) else { return false };
    let has = |own: Option<&BTreeMap<String, String>>, wanted: Option<&BTreeMap<String, String>>| {
        let mut wanted = wanted.into_iter().flatten();
        wanted.all(|(key, value)| own.and_then(|own| own.get(key)) == Some(value))
    };
    let metadata = template.metadata.as_ref();
    let containers = |spec: Option<&'a PodSpec>| spec.into_iter().flat_map(|spec| &spec.containers);
    let started =
        |one: &'a Container| (&one.name, &one.image, &one.command, &one.args, &one.env, &one.env_from);
    has(pod.metadata.labels.as_ref(), metadata.and_then(|metadata| metadata.labels.as_ref()))
        && has(pod.metadata.annotations.as_ref(), metadata.and_then(|metadata| metadata.annotations.as_ref()))
        && containers(template.spec.as_ref())
            .all(|wanted| containers(pod.spec.as_ref()).any(|own| started(own) == started(wanted)))
}

fn unplaced(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let condition = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled")?;
    (condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable"))
        .then(|| condition.message.clone().unwrap_or_else(|| "cannot be scheduled".into()))
}

/// Why a container of this pod waits.
fn waiting_for(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone())
}

/// Why this pod will not start without help, if that is so.
pub fn broken(pod: &Pod) -> Option<String> {
    const NEVER: [&str; 7] = [
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    ];
    let name = pod.metadata.name.as_deref().unwrap_or("a pod");
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        if reason == "CrashLoopBackOff" && status.restart_count >= 2 {
            let ended = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let code = ended.map(|ended| format!(", last exit code {}", ended.exit_code)).unwrap_or_default();
            return Some(format!("{name} crashes again and again ({} restarts{code})", status.restart_count));
        }
        NEVER.contains(&reason).then(|| {
            let message = waiting.message.as_deref().unwrap_or("no message");
            format!("{name} cannot start its image {}: {reason}: {message}", status.image)
        })
    })
}

#[cfg(test)]
mod tests;
