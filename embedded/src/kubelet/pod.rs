//! The life of one pod, from the moment it has its place on this machine to its last file.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Kubelet;
use super::container::Runner;
use super::launch;
use super::logs::Log;
use super::status::{self, Container, State};
use super::volumes;
use super::waiting::Patience;
use crate::controllers::events::Source;
use crate::object::{is_leaving, meta, number};
use crate::runtime::{LogReader, Usage};
use crate::status::Status;
use crate::store::{Key, kinds, now};

const SOURCE: Source = Source("kubelet");

/// A pod that has its place here.
pub(super) struct Pod {
    pub(super) kubelet: Arc<Kubelet>,
    /// As it was when it came here; its specification does not change.
    pub(super) spec: Arc<Value>,
    pub(super) address: Ipv4Addr,
    pub(super) folder: PathBuf,
    key: Key,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    containers: Vec<Container>,
    volumes: BTreeMap<String, PathBuf>,
    groups: BTreeMap<usize, Pid>,
    /// The run that is now, and the one before.
    logs: BTreeMap<usize, (Arc<Log>, Option<Arc<Log>>)>,
    /// Somebody else's by now: nothing is written to it any more.
    gone: bool,
}

/// What the API says of a pod.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// It is there, like this.
    Present(Arc<Value>),
    /// It was deleted without waiting for its end.
    Gone,
}

impl Pod {
    pub(super) fn new(kubelet: Arc<Kubelet>, spec: Arc<Value>, address: Ipv4Addr) -> Arc<Self> {
        let containers =
            spec["spec"]["containers"].as_array().into_iter().flatten().map(Container::new).collect();
        let folder = kubelet.folder.join(meta(&spec, "uid"));
        let key = Key::of(&kinds::PODS, &spec);
        let inner = Mutex::new(Inner { containers, ..Inner::default() });
        Arc::new(Self { kubelet, spec, address, folder, key, inner })
    }

    pub(super) fn name(&self) -> &str {
        &self.key.name
    }

    pub(super) fn namespace(&self) -> &str {
        &self.key.namespace
    }

    pub(super) fn uid(&self) -> &str {
        meta(&self.spec, "uid")
    }

    /// As it is in the store now.
    pub(super) fn current(&self) -> Arc<Value> {
        self.kubelet.store.get(&self.key).unwrap_or_else(|| Arc::clone(&self.spec))
    }

    pub(super) fn containers(&self) -> Vec<Container> {
        self.inner().containers.clone()
    }

    pub(super) fn volumes(&self) -> BTreeMap<String, PathBuf> {
        self.inner().volumes.clone()
    }

    pub(super) fn normal(&self, reason: &str, message: &str) {
        SOURCE.normal(&self.kubelet.store, &kinds::PODS, &self.spec, reason, message);
    }

    pub(super) fn warning(&self, reason: &str, message: &str) {
        SOURCE.warning(&self.kubelet.store, &kinds::PODS, &self.spec, reason, message);
    }

    /// Changes what is known of a container, and tells the store.
    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut Container)) {
        let mut inner = self.inner();
        if let Some(container) = inner.containers.get_mut(index) {
            change(container);
        }
        self.publish(&inner);
    }

    fn publish(&self, inner: &Inner) {
        if inner.gone {
            return;
        }
        // Under the pod's lock, so that what is told last is what is true last.
        let _ = self.kubelet.store.update(&self.key, |pod| {
            if pod["metadata"]["uid"] != self.spec["metadata"]["uid"] {
                return Err(Status::not_found(&kinds::PODS, &self.key.name));
            }
            if pod["status"]["startTime"].is_null() {
                pod["status"]["startTime"] = json!(now());
            }
            status::write(&mut pod["status"], &inner.containers, &self.address.to_string());
            Ok(())
        });
    }

    pub(super) fn set_group(&self, index: usize, group: Option<Pid>) {
        let groups = &mut self.inner().groups;
        match group {
            Some(group) => groups.insert(index, group),
            None => groups.remove(&index),
        };
    }

    pub(super) fn set_log(&self, index: usize, log: &Arc<Log>) {
        let logs = &mut self.inner().logs;
        let before = logs.remove(&index).map(|(log, _)| log);
        logs.insert(index, (Arc::clone(log), before));
    }

    pub(super) fn read_log(&self, container: &str, previous: bool) -> Option<LogReader> {
        let inner = self.inner();
        let index = inner.containers.iter().position(|known| known.name == container)?;
        let (log, before) = inner.logs.get(&index)?;
        Some(if previous { before.as_ref()?.read() } else { log.read() })
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        let groups: Vec<Pid> = self.inner().groups.values().copied().collect();
        (!groups.is_empty()).then(|| super::usage::of_groups(&groups))
    }

    pub(super) fn runs(&self) -> bool {
        self.inner().containers.iter().any(|container| matches!(container.state, State::Running { .. }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From its first folder to its last.
    pub(super) async fn live(self: Arc<Self>, mut wishes: watch::Receiver<Wish>) {
        let (stopper, stop) = watch::channel(None);
        let mut running = JoinSet::new();
        let mut begun = false;
        loop {
            let wish = wishes.borrow_and_update().clone();
            self.take_in(&wish, &stopper);
            let finished = self.containers().iter().all(|container| container.finished);
            match wish {
                Wish::Gone if running.is_empty() => break,
                Wish::Present(pod) if is_leaving(&pod) && (finished || !begun) => {
                    self.finish_unbegun();
                    break;
                }
                _ => {}
            }
            tokio::select! {
                changed = wishes.changed() => if changed.is_err() { break },
                Some(_) = running.join_next() => {}
                () = self.provide_volumes(), if !begun => {
                    begun = true;
                    for index in 0..self.containers().len() {
                        let runner = Runner { pod: Arc::clone(&self), index, stop: stop.clone() };
                        running.spawn(runner.run());
                    }
                }
            }
        }
        running.shutdown().await;
        let _ = std::fs::remove_dir_all(&self.folder);
        let gone = matches!(*wishes.borrow(), Wish::Gone);
        let mut inner = self.inner();
        if !gone && !inner.gone {
            self.kubelet.store.remove(&self.key);
        }
        inner.gone = true;
    }

    fn take_in(&self, wish: &Wish, stopper: &watch::Sender<Option<Instant>>) {
        let at = match wish {
            Wish::Gone => {
                self.inner().gone = true;
                Instant::now()
            }
            Wish::Present(pod) if is_leaving(pod) => {
                let grace = number(pod, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
                Instant::now() + Duration::from_secs(grace.unsigned_abs())
            }
            Wish::Present(_) => return,
        };
        stopper.send_if_modified(|stop| {
            let sooner = stop.is_none_or(|before| at < before);
            if sooner {
                *stop = Some(at);
            }
            sooner
        });
    }

    /// A pod that is deleted before its containers began has ended all the same.
    fn finish_unbegun(&self) {
        let mut inner = self.inner();
        for container in &mut inner.containers {
            (container.ready, container.finished) = (false, true);
        }
        self.publish(&inner);
    }

    /// Makes the volumes as soon as all that they are made from is there.
    async fn provide_volumes(&self) {
        self.publish(&self.inner());
        loop {
            let patience = Patience::begin(&self.kubelet.store, &[&kinds::CONFIG_MAPS, &kinds::SECRETS]);
            let root = self.folder.join("volumes");
            match volumes::prepare(&self.kubelet.store, &self.spec, &root, &launch::names(self)) {
                Ok(volumes) => {
                    self.inner().volumes = volumes;
                    return;
                }
                Err(problem) => self.warning("FailedMount", &problem),
            }
            patience.until_changed().await;
        }
    }
}
