//! Shows the log of the Job's pods, one pod after the other, and says how the Job ended.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, Patch};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::log::show_log;
use super::patience::{Limits, Patience};
use super::pods::{driver_cannot_start, exit_code, has_started, other_containers, running, waiting};
use super::submit::{SubmittedJob, has_ended};
use crate::cluster::{Cluster, explain, patch_params, watching};
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::objects::JOB;
use crate::wait::{Condition, poll};

/// How long the API server may be silent before following ends.
const API_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How often the pods are looked at if no change is seen.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the Job until it ends. If the token is cancelled, the Job is suspended: its driver stops the load, and the
/// records are kept.
pub(super) async fn follow(
    cluster: &Cluster,
    job: &SubmittedJob,
    limits: Limits,
    interrupted: &CancellationToken,
    events: &Events,
    log: &(dyn Fn(&str) + Sync),
) -> Result<ExitCode> {
    let ended = CancellationToken::new();
    let following = async {
        let result = follow_pods(cluster, job, limits, events, log).await;
        ended.cancel();
        result
    };
    let suspending = async {
        tokio::select! {
            () = ended.cancelled() => return Ok(false),
            () = interrupted.cancelled() => {}
        }
        events.tell(Progress::JobSuspended);
        suspend(cluster, job).await?;
        await_stopped(cluster, job, limits.stop, events).await?;
        Ok(true)
    };
    tokio::pin!(following);
    tokio::pin!(suspending);
    tokio::select! {
        followed = &mut following => {
            // The pod may have ended because the Job was suspended.
            if interrupted.is_cancelled() { suspending.await?; return Ok(ExitCode::Interrupted); }
            followed
        }
        suspended = &mut suspending => {
            if suspended? { Ok(ExitCode::Interrupted) } else { following.await }
        }
    }
}

/// Suspends the Job, unless another one has taken its name.
async fn suspend(cluster: &Cluster, job: &SubmittedJob) -> Result<()> {
    let patch = Patch::Merge(json!({ "metadata": { "uid": job.uid }, "spec": { "suspend": true } }));
    let patched = cluster.api::<Job>().patch(JOB, &patch_params(), &patch).await;
    patched.map(drop).map_err(|error| explain(&format!("suspend Job {}/{JOB}", cluster.namespace), &error))
}

/// Suspends a Job that does not get on. The caller has an error or an exit code of its own, so an error here is
/// only told.
async fn give_up(cluster: &Cluster, job: &SubmittedJob, events: &Events) {
    if let Err(error) = suspend(cluster, job).await {
        events.tell(Progress::note(error.to_string()));
    }
}

/// Waits until no pod runs the driver. Pods that ended earlier stay as long as the Job does, and do not count.
async fn await_stopped(
    cluster: &Cluster,
    job: &SubmittedJob,
    limit: Duration,
    events: &Events,
) -> Result<()> {
    let tell = events.waiting("the driver to stop");
    let stopped = poll(limit, Duration::from_millis(500), &tell, || async {
        match pods_of(cluster, job).await {
            Ok(pods) => running(&pods).map_or(Condition::Met(()), Condition::NotMet),
            Err(error) => Condition::NotMet(error.message),
        }
    });
    stopped.await.map_err(|timed_out| {
        Error::cluster(format!("the driver does not stop {timed_out}"))
            .next(format!("kubectl delete job {JOB}"))
    })
}

/// Shows the log of each of the Job's pods until the Job has ended.
async fn follow_pods(
    cluster: &Cluster,
    job: &SubmittedJob,
    limits: Limits,
    events: &Events,
    log: &(dyn Fn(&str) + Sync),
) -> Result<ExitCode> {
    let pods = watcher(cluster.api::<Pod>(), watching().labels(&job.selector()));
    let jobs = watcher(cluster.api::<Job>(), watching().fields(&format!("metadata.name={JOB}")));
    // A change is only a reason to read the pods and the Job again; its content does not matter.
    let mut changes =
        stream::select(pods.default_backoff().map(drop).boxed(), jobs.default_backoff().map(drop).boxed());
    let mut shown = BTreeSet::new();
    let mut last_exit = None;
    let mut patience = Patience::new(limits);
    loop {
        if matches!(timeout(LOOK_EVERY, changes.next()).await, Ok(None)) {
            return Err(Error::cluster("the watch on the Job ended"));
        }
        // The Job before its pods: of one that has ended, these are all.
        let current = cluster.api::<Job>().get_opt(JOB).await;
        let current = current.map_err(|error| explain("read the Job", &error))?;
        let Some(current) = current.filter(|current| current.metadata.uid.as_deref() == Some(&job.uid))
        else {
            return Err(Error::cluster("the Job was deleted while it ran")
                .next("its records are kept: locust-matrix fetch"));
        };
        let pods = pods_of(cluster, job).await?;
        for pod in &pods {
            let name = pod.metadata.name.clone().unwrap_or_default();
            if let Some(problem) = driver_cannot_start(pod) {
                give_up(cluster, job, events).await;
                let next = mends(&problem);
                return Err(Error::preflight(format!("the driver's pod does not run: {problem}")).next(next));
            }
            if shown.contains(&name) || !has_started(pod) {
                continue;
            }
            if let Some(code) = last_exit {
                events.tell(Progress::JobContinues { pod: name.clone(), exit_code: code });
            }
            show_log(cluster, &name, events, log).await;
            shown.insert(name.clone());
            last_exit = container_exit_code(cluster, &name).await.or(last_exit);
        }
        if has_ended(&current) {
            // A pod may have ended after its log was given up.
            if let Some(last) = pods.last().and_then(|pod| pod.metadata.name.as_deref()) {
                last_exit = container_exit_code(cluster, last).await.or(last_exit);
            }
            return exit_code_of(&current, last_exit);
        }
        // While the log was shown, the pods have changed.
        let pods = pods_of(cluster, job).await?;
        let refusals = if running(&pods).is_none() { refusals(cluster, job).await } else { Vec::new() };
        let outcome = patience.look(waiting(&pods, &refusals), other_containers(&pods));
        outcome.news.into_iter().for_each(|news| events.tell(Progress::note(news)));
        if outcome.is_over {
            give_up(cluster, job, events).await;
            return outcome.error.map_or_else(|| Ok(code_of(last_exit)), Err);
        }
    }
}

/// What helps against a container that cannot start.
fn mends(problem: &str) -> &'static str {
    let lower = problem.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    // So Docker Hub answers for an image that does not exist.
    if has(&["does not exist or may require"]) {
        return "push that image, name another with --driver-image, or, if it is private, name a secret with the \
                registry's credentials as job.imagePullSecrets in the settings";
    }
    let refused = [
        "unauthorized",
        "authorization failed",
        "failed to authorize",
        "anonymous token",
        "forbidden",
        "authentication",
        "denied",
        "no basic auth",
    ];
    if has(&refused) {
        return "name a secret with the registry's credentials as job.imagePullSecrets in the settings";
    }
    if has(&["errimage", "imagepull", "invalidimagename"]) {
        return "build or push that image, or name another with --driver-image";
    }
    "see: kubectl describe pods -l app=locust,role=driver"
}

async fn pods_of(cluster: &Cluster, job: &SubmittedJob) -> Result<Vec<Pod>> {
    let (api, params) = (cluster.api::<Pod>(), ListParams::default().labels(&job.selector()));
    let pods = timeout(API_ANSWERS_WITHIN, api.list(&params)).await.map_err(|_| {
        Error::cluster("list the Job's pods: the API server does not answer")
            .next("check that the cluster runs: kubectl get --raw /readyz")
    })?;
    let mut pods = pods.map_err(|error| explain("list the Job's pods", &error))?.items;
    pods.sort_by_key(|pod| pod.metadata.creation_timestamp.clone().map(|time| time.0));
    Ok(pods)
}

/// The Job's events. Without the permission to read them there are none, and the Job is followed all the same.
async fn refusals(cluster: &Cluster, job: &SubmittedJob) -> Vec<Event> {
    let params = ListParams::default().fields(&format!("involvedObject.uid={}", job.uid));
    let events = timeout(API_ANSWERS_WITHIN, cluster.api::<Event>().list(&params)).await;
    events.ok().and_then(Result::ok).map(|events| events.items).unwrap_or_default()
}

/// The exit code of an ended Job: the exit code of its last pod, if that is an [`ExitCode`].
fn exit_code_of(job: &Job, last_exit: Option<i32>) -> Result<ExitCode> {
    let mut conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let Some(failed) = conditions.find(|condition| condition.type_ == "Failed" && condition.status == "True")
    else {
        return Ok(ExitCode::Success);
    };
    match last_exit.and_then(ExitCode::from_number) {
        Some(code) if code != ExitCode::Success => Ok(code),
        _ => {
            let reason = failed.message.as_deref().or(failed.reason.as_deref()).unwrap_or("no reason given");
            Err(Error::cluster(format!("the Job failed: {reason}"))
                .next(format!("look at it with: kubectl describe job {JOB}")))
        }
    }
}

/// The exit code for a driver that has ended in a pod that has not.
fn code_of(exit: Option<i32>) -> ExitCode {
    exit.and_then(ExitCode::from_number).unwrap_or(ExitCode::Cluster)
}

/// The exit code of the driver in this pod. Its log ends a moment before the pod's status has the exit code.
async fn container_exit_code(cluster: &Cluster, pod: &str) -> Option<i32> {
    let mut changes = watcher(cluster.api::<Pod>(), watching().fields(&format!("metadata.name={pod}")))
        .default_backoff()
        .applied_objects()
        .boxed();
    let ended = async {
        while let Some(change) = changes.next().await {
            if let Some(code) = change.ok().as_ref().and_then(exit_code) {
                return Some(code);
            }
        }
        None
    };
    timeout(Duration::from_secs(5), ended).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::FakeApi;

    const PODS: &str = "/api/v1/namespaces/default/pods";

    fn pod(api: &FakeApi, name: &str, phase: &str) {
        let metadata = json!({ "name": name });
        api.put(&format!("{PODS}/{name}"), json!({ "metadata": metadata, "status": { "phase": phase } }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_has_stopped_although_pods_that_ended_earlier_are_left() {
        let api = FakeApi::default();
        let job = SubmittedJob { uid: "uid".into() };
        pod(&api, "first", "Failed");
        await_stopped(&api.cluster(), &job, Duration::from_mins(1), &Events::to(|_| {})).await.unwrap();
        pod(&api, "second", "Running");
        let error = await_stopped(&api.cluster(), &job, Duration::from_mins(1), &Events::to(|_| {}))
            .await
            .unwrap_err();
        assert_eq!(error.message, "the driver does not stop after 60 s; last seen: pods second");
    }

    #[test]
    fn the_advice_fits_the_reason() {
        let pull = "pod a: cannot start container driver (image r/d:1): ErrImagePull:";
        assert!(mends(&format!("{pull} not found")).contains("--driver-image"));
        // As containerd tells the answers of registries.
        for refused in [
            "failed to pull and unpack image: failed to resolve reference: failed to authorize: failed to fetch anonymous \
             token: unexpected status from GET request to https://r/token: 401 Unauthorized",
            "failed to resolve reference: unexpected status from HEAD request to https://r/v2/d/manifests/1: 403 Forbidden",
        ] {
            let advice = mends(&format!("{pull} {refused}"));
            assert!(advice.contains("imagePullSecrets") && !advice.contains("--driver-image"), "{advice}");
        }
        let hub = "failed to resolve reference \"docker.io/library/locust-driver:1\": pull access denied, repository does \
                   not exist or may require authorization: server message: insufficient_scope: authorization failed";
        let advice = mends(&format!("{pull} {hub}"));
        assert!(advice.contains("imagePullSecrets") && advice.contains("--driver-image"), "{advice}");
        let config =
            "pod a: cannot start container driver: CreateContainerConfigError: secret \"s\" not found";
        assert!(!mends(config).contains("image"));
    }

    #[tokio::test]
    async fn only_the_job_that_is_followed_is_suspended() {
        let api = FakeApi::default();
        let path = format!("/apis/batch/v1/namespaces/default/jobs/{JOB}");
        api.put(&path, json!({ "metadata": { "name": JOB, "uid": "ours" } }));
        let suspended = async |uid: &str| {
            let job = SubmittedJob { uid: uid.into() };
            suspend(&api.cluster(), &job).await.is_ok()
                && api.object(&path).unwrap()["spec"]["suspend"] == true
        };
        assert!(!suspended("another").await);
        assert!(suspended("ours").await);
    }
}
