//! Waiting by watch until a Deployment has exactly the requested pods, or until pods are gone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{Config as WatchConfig, Event};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::connection::Cluster;
use super::failure::explain;
use super::readiness::{Assessment, assess};
use super::scale::Workload;
use crate::exit::{Error, ExitCode, Result};
use crate::wait::{TimedOut, with_causes};

/// A pod must stay unplaced this long before the cluster counts as too small. When resources become free,
/// the scheduler tries again at once.
const UNPLACED_FOR: Duration = Duration::from_millis(1500);

/// Why a Deployment did not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its pods cannot be placed on any node of this cluster.
    Unplaced(String),
    /// A pod cannot start until somebody changes something.
    Broken(String),
    /// The API server does not permit watching it, so waiting longer does not help.
    Refused(Error),
    /// The deadline passed.
    TimedOut(TimedOut),
}

impl Unready {
    /// The reason as a sentence about the Deployment `name`.
    pub fn describe(&self, name: &str) -> String {
        match self {
            Self::Unplaced(problem) => format!("pods of {name} cannot be placed: {problem}"),
            Self::Broken(problem) => format!("{name}: {problem}"),
            Self::Refused(error) => error.message.clone(),
            Self::TimedOut(timed_out) => format!("{name} is not ready {timed_out}"),
        }
    }
}

/// Waits until exactly `replicas` pods of the Deployment are ready and no other pod of it is left.
///
/// # Errors
/// [`Unready`]; after the deadline with what was seen last.
pub async fn await_ready(
    cluster: &Cluster,
    workload: &Workload,
    replicas: u32,
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
        let wake_at = unplaced_since.map_or(deadline, |since| (since + UNPLACED_FOR).min(deadline));
        let change = tokio::select! {
            change = changes.next() => change,
            () = sleep_until(wake_at) => None,
        };
        match change {
            Some(Change::Deployment(event)) => match event {
                Event::Apply(found) | Event::InitApply(found) => deployment = Some(found),
                Event::Delete(_) => deployment = None,
                Event::Init | Event::InitDone => {}
            },
            Some(Change::Pod(event)) => apply_event(&mut pods, event),
            Some(Change::Failed(error)) => match permanent_error(&workload.name, &error) {
                Some(refused) => return Err(Unready::Refused(refused)),
                None => last_seen = with_causes(&error),
            },
            None if Instant::now() >= deadline => {
                return Err(Unready::TimedOut(TimedOut { after: limit, last_seen }));
            }
            None => {}
        }
        let Some(known) = &pods else { continue };
        let known: Vec<Pod> = known.values().cloned().collect();
        match assess(deployment.as_ref(), &known, replicas) {
            Assessment::Ready => return Ok(()),
            Assessment::Broken(problem) => return Err(Unready::Broken(problem)),
            Assessment::NotYet(missing) => {
                last_seen = missing;
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

/// The explained error if trying again cannot help: a missing permission, login or object.
fn permanent_error(name: &str, error: &watcher::Error) -> Option<Error> {
    let (watcher::Error::InitialListFailed(error)
    | watcher::Error::WatchStartFailed(error)
    | watcher::Error::WatchFailed(error)) = error
    else {
        return None;
    };
    let explained = explain(&format!("watch {name} and its pods"), error);
    (explained.code == ExitCode::Preflight).then_some(explained)
}

/// Applies a watch event to the known pods; `None` until the first list begins.
fn apply_event(pods: &mut Option<BTreeMap<String, Pod>>, event: Event<Pod>) {
    let uid = |pod: &Pod| pod.metadata.uid.clone().unwrap_or_default();
    match event {
        // A new list replaces the old one, pod by pod. An incomplete list does not make a Deployment ready,
        // because its status counts must agree with the pods.
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

/// Waits until no pod that `selector` selects is left.
///
/// # Errors
/// [`TimedOut`] with the names of the pods that still exist.
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
                apply_event(&mut pods, event);
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

#[cfg(test)]
mod tests;
