//! Whether a Deployment is ready, decided from its status and its pods without I/O.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

/// The state of a Deployment on its way to the requested replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessment {
    /// Exactly the requested pods exist, all of them ready, none terminating.
    Ready,
    /// Not ready yet; the text says what is missing.
    NotYet(String),
    /// A pod cannot be placed on a node. If this lasts, the cluster is too small.
    Unplaced(String),
    /// A pod cannot start until somebody changes something.
    Broken(String),
}

/// Assesses a Deployment that should have `replicas` replicas.
///
/// kube's own `is_deployment_completed` checks neither the generation nor the replica count, so it can be
/// true before scaling has begun.
pub fn assess(deployment: Option<&Deployment>, pods: &[Pod], replicas: u32) -> Assessment {
    let Some(deployment) = deployment else {
        return Assessment::NotYet("the deployment does not exist".into());
    };
    let status = deployment.status.clone().unwrap_or_default();
    let spec_replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let generation = deployment.metadata.generation.unwrap_or(0);
    let requested = i32::try_from(replicas).unwrap_or(i32::MAX);
    if spec_replicas != requested {
        return Assessment::NotYet(format!("its spec has {spec_replicas} replicas, not {replicas}"));
    }
    if status.observed_generation.unwrap_or(0) < generation {
        return Assessment::NotYet("the deployment controller has not observed the change yet".into());
    }
    let terminating = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
    let staying = || pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    // An admission webhook may alter pods, so that they never match the template. Once only updated pods
    // remain, their failures count even so.
    let all_updated =
        usize::try_from(status.updated_replicas.unwrap_or(0)).is_ok_and(|count| count >= staying().count());
    let failure = |pod| startup_failure(pod).filter(|_| all_updated || matches_template(pod, deployment));
    if let Some(problem) = staying().find_map(failure) {
        return Assessment::Broken(problem);
    }
    let quota =
        status.conditions.iter().flatten().find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    if let Some(condition) = quota {
        return Assessment::Unplaced(condition.message.clone().unwrap_or_else(|| "pods are refused".into()));
    }
    // A terminating pod may still hold the resources that another pod waits for.
    if terminating == 0
        && let Some(problem) = staying().find_map(scheduling_failure)
    {
        return Assessment::Unplaced(problem);
    }
    let ready = staying().filter(|pod| is_ready(pod)).count();
    let counts = [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas];
    let complete = counts.iter().all(|count| count.unwrap_or(0) == requested);
    if complete && ready == replicas as usize && terminating == 0 {
        return Assessment::Ready;
    }
    let others = if terminating > 0 { format!(", {terminating} terminating") } else { String::new() };
    let reason = staying().find_map(waiting_reason).map(|reason| format!(" ({reason})")).unwrap_or_default();
    Assessment::NotYet(format!("{ready} of {replicas} pods ready{others}{reason}"))
}

/// Whether the pod's condition `Ready` is true.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a pod was made from the Deployment's present template. A pod of an earlier template stays for a
/// moment; if it does not start, the new template may be the remedy.
fn matches_template<'a>(pod: &'a Pod, deployment: &'a Deployment) -> bool {
    let Some(template) = deployment.spec.as_ref().map(|spec| &spec.template) else { return false };
    let has = |own: Option<&BTreeMap<String, String>>, expected: Option<&BTreeMap<String, String>>| {
        let mut expected = expected.into_iter().flatten();
        expected.all(|(key, value)| own.and_then(|own| own.get(key)) == Some(value))
    };
    let metadata = template.metadata.as_ref();
    let containers = |spec: Option<&'a PodSpec>| spec.into_iter().flat_map(|spec| &spec.containers);
    let startup = |container: &'a Container| {
        let Container { name, image, command, args, env, env_from, .. } = container;
        (name, image, command, args, env, env_from)
    };
    has(pod.metadata.labels.as_ref(), metadata.and_then(|metadata| metadata.labels.as_ref()))
        && has(pod.metadata.annotations.as_ref(), metadata.and_then(|metadata| metadata.annotations.as_ref()))
        && containers(template.spec.as_ref())
            .all(|expected| containers(pod.spec.as_ref()).any(|own| startup(own) == startup(expected)))
}

/// Why the scheduler finds no node for this pod.
fn scheduling_failure(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let condition = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled")?;
    (condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable"))
        .then(|| condition.message.clone().unwrap_or_else(|| "cannot be scheduled".into()))
}

/// The reason in the status of a container that waits to start.
fn waiting_reason(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone())
}

/// Why this pod cannot start until somebody changes something; `None` for a pod that starts or may still start.
pub fn startup_failure(pod: &Pod) -> Option<String> {
    const PERMANENT: [&str; 7] = [
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    ];
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        if reason == "CrashLoopBackOff" && status.restart_count >= 2 {
            let ended = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let code = ended.map(|ended| format!(", last exit code {}", ended.exit_code)).unwrap_or_default();
            return Some(format!(
                "pod {name} crashes again and again ({} restarts{code})",
                status.restart_count
            ));
        }
        PERMANENT.contains(&reason).then(|| {
            let message = waiting.message.as_deref().unwrap_or("no message");
            format!("pod {name} cannot start its container (image {}): {reason}: {message}", status.image)
        })
    })
}

#[cfg(test)]
mod tests;
