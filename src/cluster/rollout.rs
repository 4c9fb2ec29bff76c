//! Waiting for a Deployment by watch: what it is asked for, nothing more, nothing less.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::watcher::{Config as WatchConfig, Event};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Assessment, Cluster, Workload, assess, explain};
use crate::exit::{Error, ExitCode, Result};
use crate::wait::{TimedOut, seen};

/// A pod must stay without a place this long before the cluster is called too small: the scheduler
/// tries again at once when room is made.
const UNPLACED_FOR: Duration = Duration::from_millis(1500);

/// Why a Deployment did not become ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// Its pods cannot be placed in this cluster.
    #[error("its pods cannot be placed: {0}")]
    Unplaced(String),
    /// A pod will not start without help.
    #[error("{0}")]
    Broken(String),
    /// The API server refuses to show it; waiting longer does not help.
    #[error("{0}")]
    Refused(Error),
    /// The deadline passed.
    #[error("not ready {0}")]
    TimedOut(#[from] TimedOut),
}

/// One pod of a Deployment: the same pod at two times has the same identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its address, once it has one.
    pub ip: Option<String>,
    /// Restarts of its containers.
    pub restarts: i32,
}

impl PodId {
    fn of(pod: &Pod) -> Self {
        let status = pod.status.as_ref();
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        Self {
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            ip: status.and_then(|status| status.pod_ip.clone()),
            restarts: containers.iter().map(|container| container.restart_count).sum(),
        }
    }
}

/// The pods of a Deployment that are not on their way out, by name.
///
/// # Errors
/// Exit code 3 where the permission is missing, else 4.
pub async fn pods_of(cluster: &Cluster, workload: &Workload) -> Result<Vec<PodId>> {
    let pods = cluster.api::<Pod>().list(&ListParams::default().labels(&workload.selector)).await;
    let pods = pods.map_err(|error| explain(&format!("pods of {}", workload.name), &error))?;
    let staying = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let mut ids: Vec<_> = staying.map(PodId::of).collect();
    ids.sort();
    Ok(ids)
}

/// Waits until exactly `wanted` replicas are ready and nothing else of the Deployment is left.
///
/// # Errors
/// [`Unready`], with what was last seen.
pub async fn await_ready(
    cluster: &Cluster,
    workload: &Workload,
    wanted: u32,
    limit: Duration,
) -> Result<(), Unready> {
    enum Change {
        Deployment(Event<Deployment>),
        Pod(Event<Pod>),
        Failed(watcher::Error),
    }
    let by_name = WatchConfig::default().fields(&format!("metadata.name={}", workload.name));
    let by_label = WatchConfig::default().labels(&workload.selector);
    let deployments = watcher(cluster.api::<Deployment>(), by_name).default_backoff();
    let pods = watcher(cluster.api::<Pod>(), by_label).default_backoff();
    let mut changes = stream::select(
        deployments.map(|event| event.map_or_else(Change::Failed, Change::Deployment)).boxed(),
        pods.map(|event| event.map_or_else(Change::Failed, Change::Pod)).boxed(),
    );

    let deadline = Instant::now() + limit;
    let mut deployment: Option<Deployment> = None;
    let mut pods: Option<BTreeMap<String, Pod>> = None;
    let mut last_seen = "nothing".to_owned();
    let mut unplaced_since: Option<Instant> = None;
    loop {
        let patience = unplaced_since.map_or(deadline, |since| (since + UNPLACED_FOR).min(deadline));
        let change = tokio::select! {
            change = changes.next() => change,
            () = sleep_until(patience) => None,
        };
        match change {
            Some(Change::Deployment(event)) => match event {
                Event::Apply(found) | Event::InitApply(found) => deployment = Some(found),
                Event::Delete(_) => deployment = None,
                Event::Init | Event::InitDone => {}
            },
            Some(Change::Pod(event)) => collect(&mut pods, event),
            Some(Change::Failed(error)) => match refusal(&workload.name, &error) {
                Some(refused) => return Err(Unready::Refused(refused)),
                None => last_seen = seen(&error),
            },
            None if Instant::now() >= deadline => {
                return Err(TimedOut { after: limit, last_seen }.into());
            }
            None => {}
        }
        let Some(known) = &pods else { continue };
        let known: Vec<Pod> = known.values().cloned().collect();
        match assess(deployment.as_ref(), &known, wanted) {
            Assessment::Ready => return Ok(()),
            Assessment::Broken(problem) => return Err(Unready::Broken(problem)),
            Assessment::NotYet(words) => {
                last_seen = words;
                unplaced_since = None;
            }
            Assessment::Unplaced(problem) => {
                let since = *unplaced_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= UNPLACED_FOR {
                    return Err(Unready::Unplaced(problem));
                }
                last_seen = problem;
            }
        }
    }
}

/// What the API server will not do, however often it is asked.
fn refusal(name: &str, error: &watcher::Error) -> Option<Error> {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return None;
    };
    let explained = explain(&format!("watch {name} and its pods"), error);
    (explained.code == ExitCode::Preflight).then_some(explained)
}

/// Keeps a set of pods up to date; `None` until the first list is complete.
fn collect(pods: &mut Option<BTreeMap<String, Pod>>, event: Event<Pod>) {
    let uid = |pod: &Pod| pod.metadata.uid.clone().unwrap_or_default();
    match event {
        // A new list replaces the old one; nothing may be judged by half of it, but the pods come one
        // by one, and each judgement asks the Deployment's own counts too.
        Event::Init => *pods = Some(BTreeMap::new()),
        Event::InitApply(pod) | Event::Apply(pod) => {
            pods.get_or_insert_default().insert(uid(&pod), pod);
        }
        Event::Delete(pod) => {
            pods.get_or_insert_default().remove(&uid(&pod));
        }
        Event::InitDone => {}
    }
}

/// Waits until no pod of `selector` is left.
///
/// # Errors
/// [`TimedOut`] with the pods that are still there.
pub async fn await_gone(cluster: &Cluster, selector: &str, limit: Duration) -> Result<(), TimedOut> {
    let deadline = Instant::now() + limit;
    let mut changes =
        watcher(cluster.api::<Pod>(), WatchConfig::default().labels(selector)).default_backoff().boxed();
    let mut pods = None;
    let mut listed = false;
    loop {
        let names = |pods: &Option<BTreeMap<String, Pod>>| {
            let names =
                pods.iter().flat_map(|pods| pods.values().filter_map(|pod| pod.metadata.name.clone()));
            names.collect::<Vec<_>>().join(", ")
        };
        match timeout_at(deadline, changes.next()).await {
            Ok(Some(Ok(event))) => {
                listed |= matches!(event, Event::InitDone);
                collect(&mut pods, event);
            }
            Ok(Some(Err(_)) | None) => {}
            Err(_) => {
                return Err(TimedOut { after: limit, last_seen: format!("pods {}", names(&pods)) });
            }
        }
        if listed && pods.as_ref().is_some_and(BTreeMap::is_empty) {
            return Ok(());
        }
    }
}
