//! Waiting by watch until a Deployment has exactly the requested pods, or until pods are gone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::watcher::{Config as WatchConfig, Event};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::connection::Cluster;
use super::failure::explain;
use super::readiness::{Assessment, assess};
use super::scale::Workload;
use crate::exit::{Error, ExitCode, Result};
use crate::wait::{Tell, Telling, TimedOut, with_causes};

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
    /// The deadline passed, and the API server did not answer at the end.
    Away(TimedOut),
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
            Self::Away(timed_out) | Self::TimedOut(timed_out) => format!("{name} is not ready {timed_out}"),
        }
    }
}

/// Waits until exactly `replicas` pods of the Deployment are ready and no other pod of it is left. Every
/// [`TELL_EVERY`](crate::wait::TELL_EVERY), `tell` hears what was seen last.
///
/// # Errors
/// [`Unready`]; after the deadline with what was seen last.
pub async fn await_ready(
    cluster: &Cluster,
    workload: &Workload,
    replicas: u32,
    limit: Duration,
    tell: &Tell<'_>,
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
    let mut telling = Telling::new(tell);
    let mut deployment: Listed<Deployment> = Listed::default();
    let mut pods: Listed<Pod> = Listed::default();
    let mut last_seen = "nothing".to_owned();
    let mut is_away = false;
    let mut unplaced_since: Option<Instant> = None;
    loop {
        let wake_at =
            unplaced_since.map_or(deadline, |since| (since + UNPLACED_FOR).min(deadline)).min(telling.due());
        let change = tokio::select! {
            change = changes.next() => change,
            () = sleep_until(wake_at) => None,
        };
        match change {
            Some(Change::Deployment(event)) => {
                is_away = false;
                deployment.apply(event);
            }
            Some(Change::Pod(event)) => {
                is_away = false;
                pods.apply(event);
            }
            Some(Change::Failed(error)) => {
                if let Some(refused) = permanent_error(&workload.name, &error) {
                    return Err(Unready::Refused(refused));
                }
                (last_seen, is_away) = (with_causes(&error), true);
            }
            None if Instant::now() >= deadline => {
                let timed_out = TimedOut { after: limit, last_seen };
                return Err(if is_away { Unready::Away(timed_out) } else { Unready::TimedOut(timed_out) });
            }
            None => telling.tell_if_due(&last_seen),
        }
        // Nothing is judged by half a list: pods that were not read yet could be terminating.
        let (Some(deployment), Some(known)) = (deployment.complete(), pods.complete()) else { continue };
        let known: Vec<Pod> = known.values().cloned().collect();
        match assess(deployment.values().next(), &known, replicas) {
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

/// Objects as a watch tells them, by their UIDs.
#[derive(Debug)]
struct Listed<K> {
    /// The objects as of the last complete list, and the changes since then.
    known: Option<BTreeMap<String, K>>,
    /// The part of a new list that has been read. It replaces the old one when it is complete.
    coming: BTreeMap<String, K>,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self { known: None, coming: BTreeMap::new() }
    }
}

impl<K: ResourceExt> Listed<K> {
    fn apply(&mut self, event: Event<K>) {
        let uid = |object: &K| object.uid().unwrap_or_default();
        match event {
            Event::Init => self.coming = BTreeMap::new(),
            Event::InitApply(object) => drop(self.coming.insert(uid(&object), object)),
            Event::InitDone => self.known = Some(std::mem::take(&mut self.coming)),
            Event::Apply(object) => {
                self.known.get_or_insert_default().insert(uid(&object), object);
            }
            Event::Delete(object) => {
                self.known.get_or_insert_default().remove(&uid(&object));
            }
        }
    }

    /// The objects; `None` before the first list is complete.
    const fn complete(&self) -> Option<&BTreeMap<String, K>> {
        self.known.as_ref()
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
    let mut pods: Listed<Pod> = Listed::default();
    loop {
        match timeout_at(deadline, changes.next()).await {
            Ok(Some(Ok(event))) => pods.apply(event),
            Ok(Some(Err(_)) | None) => {}
            Err(_) => {
                let names: Vec<_> =
                    pods.complete().into_iter().flatten().map(|(_, pod)| pod.name_any()).collect();
                return Err(TimedOut { after: limit, last_seen: format!("pods {}", names.join(", ")) });
            }
        }
        if pods.complete().is_some_and(BTreeMap::is_empty) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
