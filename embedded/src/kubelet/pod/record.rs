//! What the kubelet knows about a pod. Every change is written into the pod's status in the store.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::status::{self, Container, ContainerState};
use crate::kinds;
use crate::kubelet::container::launch::PodContext;
use crate::kubelet::container::logs::Log;
use crate::kubelet::shared::Shared;
use crate::object::events::Recorder;
use crate::object::metadata::meta;
use crate::refusal::Refusal;
use crate::runtime::LogReader;
use crate::store::Key;
use crate::time::now;

const EVENTS: Recorder = Recorder("kubelet");

/// A pod that has been scheduled to this node.
pub(crate) struct Pod {
    pub(crate) shared: Arc<Shared>,
    /// The pod as it was when the kubelet first saw it.
    pub(crate) object: Arc<Value>,
    pub(crate) address: Ipv4Addr,
    /// The folder for its volumes and logs.
    pub(crate) folder: PathBuf,
    key: Key,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    containers: Vec<Container>,
    /// Folders of the volumes, by volume name.
    volumes: BTreeMap<String, PathBuf>,
    /// For each container, by index: the log of the current run, and the log of the previous run.
    logs: BTreeMap<usize, (Arc<Log>, Option<Arc<Log>>)>,
    /// The pod no longer exists in the store. Another pod may have its name, so nothing is written any more.
    gone: bool,
}

impl Pod {
    pub(crate) fn new(shared: Arc<Shared>, object: Arc<Value>, address: Ipv4Addr) -> Arc<Self> {
        let containers =
            object["spec"]["containers"].as_array().into_iter().flatten().map(Container::new).collect();
        let folder = shared.folder.join(meta(&object, "uid"));
        let key = Key::of(&kinds::PODS, &object);
        let inner = Mutex::new(Inner { containers, ..Inner::default() });
        Arc::new(Self { shared, object, address, folder, key, inner })
    }

    pub(super) fn name(&self) -> &str {
        &self.key.name
    }

    pub(super) fn namespace(&self) -> &str {
        &self.key.namespace
    }

    pub(super) fn uid(&self) -> &str {
        meta(&self.object, "uid")
    }

    /// The pod's spec. The parts that the kubelet uses cannot change.
    pub(super) fn spec(&self) -> &Value {
        &self.object["spec"]
    }

    pub(super) fn containers(&self) -> Vec<Container> {
        self.inner().containers.clone()
    }

    pub(super) fn set_volumes(&self, volumes: BTreeMap<String, PathBuf>) {
        self.inner().volumes = volumes;
    }

    /// Calls `launch` with what the start of a container depends on.
    pub(super) fn with_context<T>(&self, launch: impl FnOnce(&PodContext<'_>) -> T) -> T {
        let current = self.shared.store.get(&self.key).unwrap_or_else(|| Arc::clone(&self.object));
        let volumes = self.inner().volumes.clone();
        launch(&PodContext {
            pod: &self.object,
            current: &current,
            address: self.address,
            folder: &self.folder,
            volumes: &volumes,
            store: &self.shared.store,
            addresses: &self.shared.addresses,
            hosts: &self.shared.hosts,
            kubeconfig: self.shared.kubeconfig.get(),
        })
    }

    pub(super) fn normal(&self, reason: &str, message: &str) {
        EVENTS.normal(&self.shared.store, &kinds::PODS, &self.object, reason, message);
    }

    pub(super) fn warning(&self, reason: &str, message: &str) {
        EVENTS.warning(&self.shared.store, &kinds::PODS, &self.object, reason, message);
    }

    /// Changes what is known about a container, and publishes it.
    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut Container)) {
        let mut inner = self.inner();
        if let Some(container) = inner.containers.get_mut(index) {
            change(container);
        }
        self.publish_locked(&inner);
    }

    /// Writes the pod's status into the store.
    pub(super) fn publish(&self) {
        self.publish_locked(&self.inner());
    }

    /// The caller holds the pod's lock, so that the last status that is written is also the newest.
    fn publish_locked(&self, inner: &Inner) {
        if inner.gone {
            return;
        }
        let _ = self.shared.store.update(&self.key, |pod| {
            if pod["metadata"]["uid"] != self.object["metadata"]["uid"] {
                return Err(Refusal::not_found(&kinds::PODS, &self.key.name));
            }
            if pod["status"]["startTime"].is_null() {
                pod["status"]["startTime"] = json!(now());
            }
            status::write(&mut pod["status"], &inner.containers, &self.address.to_string());
            Ok(())
        });
    }

    /// Creates the log of a container's next run. The log of the current run becomes that of the previous
    /// one.
    pub(super) fn create_log(&self, index: usize) -> std::io::Result<Arc<Log>> {
        let container = &self.containers()[index];
        let log = Log::create(self.folder.join(format!("{}.{}.log", container.name, container.restarts)))?;
        let logs = &mut self.inner().logs;
        let previous = logs.remove(&index).map(|(log, _)| log);
        logs.insert(index, (Arc::clone(&log), previous));
        Ok(log)
    }

    pub(crate) fn read_log(&self, container: &str, previous: bool) -> Option<LogReader> {
        let inner = self.inner();
        let index = inner.containers.iter().position(|known| known.name == container)?;
        let (log, before) = inner.logs.get(&index)?;
        Some(if previous { before.as_ref()?.read() } else { log.read() })
    }

    /// Whether at least one container is running.
    pub(crate) fn is_running(&self) -> bool {
        let inner = self.inner();
        inner.containers.iter().any(|container| matches!(container.state, ContainerState::Running { .. }))
    }

    /// Marks all containers as finished, for a pod that is deleted before its containers start.
    pub(super) fn finish_unstarted(&self) {
        let mut inner = self.inner();
        for container in &mut inner.containers {
            (container.ready, container.finished) = (false, true);
        }
        self.publish_locked(&inner);
    }

    /// The pod no longer exists in the store: nothing is published any more.
    pub(super) fn set_gone(&self) {
        self.inner().gone = true;
    }

    /// Finishes the pod's deletion in the store, unless it has already disappeared from there.
    pub(super) fn remove_from_store(&self) {
        let mut inner = self.inner();
        if !inner.gone {
            self.shared.store.remove(&self.key);
        }
        inner.gone = true;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
