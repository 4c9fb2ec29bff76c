//! Shows the log of the Job's pods, one pod after the other, and says how the Job ended.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::api::{ListParams, LogParams, Patch};
use kube::runtime::watcher::Config as WatchConfig;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::submit::{SubmittedJob, has_ended};
use crate::cluster::{Cluster, await_gone, explain, patch_params, startup_failure};
use crate::commands::signals;
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::objects::JOB;

/// How long the driver may take to stop: the pod's grace period, in which it stops the load, and a margin.
const STOPS_WITHIN: Duration = Duration::from_secs(170);

/// How long the API server may be silent before following ends.
const API_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// Follows the Job until it ends. A signal suspends the Job: its driver stops the load, and the records are
/// kept.
pub(super) async fn follow(
    cluster: &Cluster,
    job: &SubmittedJob,
    events: &Events,
    log: &(dyn Fn(&str) + Sync),
) -> Result<ExitCode> {
    let interrupted = signals::interrupted();
    let ended = CancellationToken::new();
    let following = async {
        let result = follow_pods(cluster, job, events, log).await;
        ended.cancel();
        result
    };
    let suspending = async {
        tokio::select! {
            () = ended.cancelled() => return Ok(false),
            () = interrupted.cancelled() => {}
        }
        events.tell(Progress::JobSuspended);
        suspend(cluster).await?;
        await_gone(cluster, &job.selector(), STOPS_WITHIN).await.map_err(|timed_out| {
            Error::cluster(format!("the driver does not stop {timed_out}"))
                .next(format!("kubectl delete job {JOB}"))
        })?;
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

async fn suspend(cluster: &Cluster) -> Result<()> {
    let patch = Patch::Merge(json!({ "spec": { "suspend": true } }));
    let patched = cluster.api::<Job>().patch(JOB, &patch_params(), &patch).await;
    patched.map(drop).map_err(|error| explain(&format!("suspend Job {}/{JOB}", cluster.namespace), &error))
}

/// Shows the log of each of the Job's pods until the Job has ended.
async fn follow_pods(
    cluster: &Cluster,
    job: &SubmittedJob,
    events: &Events,
    log: &(dyn Fn(&str) + Sync),
) -> Result<ExitCode> {
    let pods = watcher(cluster.api::<Pod>(), WatchConfig::default().labels(&job.selector()));
    let jobs = watcher(cluster.api::<Job>(), WatchConfig::default().fields(&format!("metadata.name={JOB}")));
    // A change is only a reason to read the pods and the Job again; its content does not matter.
    let mut changes =
        stream::select(pods.default_backoff().map(drop).boxed(), jobs.default_backoff().map(drop).boxed());
    let mut shown = BTreeSet::new();
    let mut last_exit = None;
    while changes.next().await.is_some() {
        for pod in pods_of(cluster, job).await? {
            let name = pod.metadata.name.clone().unwrap_or_default();
            if let Some(problem) = startup_failure(&pod) {
                suspend(cluster).await?;
                return Err(Error::preflight(format!("the driver's pod does not run: {problem}"))
                    .next("build or push that image, or name another with --driver-image"));
            }
            if shown.contains(&name) || !has_started(&pod) {
                continue;
            }
            if let Some(code) = last_exit {
                events.tell(Progress::JobContinues { pod: name.clone(), exit_code: code });
            }
            show_log(cluster, &name, log).await;
            shown.insert(name.clone());
            last_exit = container_exit_code(cluster, &name).await.or(last_exit);
        }
        let job = cluster.api::<Job>().get_opt(JOB).await;
        let Some(job) = job.map_err(|error| explain("read the Job", &error))? else {
            return Err(Error::cluster("the Job was deleted while it ran")
                .next("its records are kept: locust-matrix fetch"));
        };
        if has_ended(&job) {
            return exit_code_of(&job, last_exit);
        }
    }
    Err(Error::cluster("the watch on the Job ended"))
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

fn has_started(pod: &Pod) -> bool {
    let states = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    states
        .filter_map(|status| status.state.as_ref())
        .any(|state| state.running.is_some() || state.terminated.is_some())
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()?.state.as_ref()?.terminated.as_ref()
}

/// The exit code of the pod's container. Its log ends a moment before the pod's status has the exit code.
async fn container_exit_code(cluster: &Cluster, pod: &str) -> Option<i32> {
    let mut changes =
        watcher(cluster.api::<Pod>(), WatchConfig::default().fields(&format!("metadata.name={pod}")))
            .default_backoff()
            .applied_objects()
            .boxed();
    let ended = async {
        while let Some(change) = changes.next().await {
            if let Some(code) = change.ok().as_ref().and_then(terminated).map(|ended| ended.exit_code) {
                return Some(code);
            }
        }
        None
    };
    timeout(Duration::from_secs(5), ended).await.ok().flatten()
}

/// Passes a pod's log line by line to `log` until the pod's container has ended. A lost connection is reopened
/// after the last line. If the API server stays silent, this returns, and the caller reports it.
async fn show_log(cluster: &Cluster, pod: &str, log: &(dyn Fn(&str) + Sync)) {
    let mut last: Option<Timestamp> = None;
    let mut last_answer = Instant::now();
    loop {
        let params = LogParams { follow: true, timestamps: true, since_time: last, ..LogParams::default() };
        if let Ok(stream) = cluster.api::<Pod>().log_stream(pod, &params).await {
            let mut lines = stream.lines();
            while let Ok(Some(line)) = lines.try_next().await {
                let (stamp, text) = line.split_once(' ').unwrap_or((&line, ""));
                let Ok(stamp) = stamp.parse::<Timestamp>() else {
                    continue;
                };
                if last.is_none_or(|last| stamp > last) {
                    log(text);
                    last = Some(stamp);
                }
            }
        }
        match timeout(API_ANSWERS_WITHIN, cluster.api::<Pod>().get_opt(pod)).await {
            Ok(Ok(Some(pod))) if terminated(&pod).is_none() => {
                last_answer = Instant::now();
                sleep(Duration::from_millis(200)).await;
            }
            Ok(Ok(_)) => return,
            Ok(Err(_)) | Err(_) if last_answer.elapsed() > API_ANSWERS_WITHIN => return,
            Ok(Err(_)) | Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}
