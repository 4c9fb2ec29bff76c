//! The kubelet: runs the pods of the node as processes of this machine.

mod child;
mod container;
mod images;
mod pod;
mod shared;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use child::{POD_MODE, become_pod};
pub(crate) use container::launch::AccountKubeconfig;
pub use container::watchdog::{WATCHDOG_MODE, run_watchdog};
pub(crate) use images::catalog::Images;
pub(crate) use images::locust::Environments;

use crate::addresses::Addresses;
use crate::kinds;
use crate::object::metadata::meta;
use crate::object::node;
use crate::runtime::{LogReader, Runtime};
use crate::store::{DeleteOptions, EventKind, Key, Store};
use pod::change::NextChange;
use pod::lifecycle::{self, Desired};
use pod::record::Pod;
use shared::Shared;

/// Grace period of all pods when the cluster ends.
const FINAL_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Send what the API says about a pod to the pod's task. By uid.
type Senders = HashMap<String, watch::Sender<Desired>>;

/// Runs the pods of this machine.
pub(crate) struct Kubelet {
    shared: Arc<Shared>,
    pods: Mutex<HashMap<Key, Arc<Pod>>>,
}

impl Kubelet {
    /// A kubelet that keeps the files of its pods in `folder`. `lock` is the lock that protects the folder.
    ///
    /// # Errors
    /// The folder cannot be used, or a process cannot be started.
    pub(crate) fn new(
        store: Store,
        folder: PathBuf,
        lock: File,
        images: Images,
        addresses: Arc<Addresses>,
    ) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared::new(store, folder, lock, images, addresses)?);
        Ok(Arc::new(Self { shared, pods: Mutex::default() }))
    }

    /// Sets how pods reach the API server. Possible only when the server has its address. Later calls have no
    /// effect.
    pub(crate) fn set_kubeconfig(&self, kubeconfig: AccountKubeconfig) {
        let _ = self.shared.kubeconfig.set(kubeconfig);
    }

    /// Runs pods until `ending` is true, or until a task of the kubelet panics. Then ends all pods, and returns
    /// when the last one has ended.
    pub(crate) async fn run(self: Arc<Self>, mut ending: watch::Receiver<bool>) {
        let mut pod_tasks = JoinSet::new();
        let mut senders = Senders::new();
        let mut hosts_files = tokio::spawn(write_hosts_files(Arc::clone(&self.shared)));
        'pods: while !*ending.borrow() {
            let (pods, version) = self.shared.store.list(&kinds::PODS, None);
            let present: BTreeSet<String> = pods.iter().map(|pod| meta(pod, "uid").to_owned()).collect();
            for pod in pods {
                self.observe(&mut pod_tasks, &mut senders, pod);
            }
            senders.iter().filter(|(uid, _)| !present.contains(*uid)).for_each(|(_, sender)| {
                sender.send_replace(Desired::Gone);
            });
            let Ok(mut changes) = self.shared.store.watch(&kinds::PODS, version) else { continue };
            loop {
                tokio::select! {
                    change = changes.next() => match change {
                        Some(Ok(event)) if event.kind == EventKind::Deleted => {
                            if let Some(sender) = senders.remove(meta(&event.object, "uid")) {
                                sender.send_replace(Desired::Gone);
                            }
                        }
                        Some(Ok(event)) => self.observe(&mut pod_tasks, &mut senders, event.object),
                        // The watch has fallen too far behind: list all pods again.
                        Some(Err(_)) | None => break,
                    },
                    Some(ended) = pod_tasks.join_next() => if ended.is_err() { break 'pods },
                    _ = &mut hosts_files => break 'pods,
                    _ = ending.wait_for(|ending| *ending) => break,
                }
            }
        }
        hosts_files.abort();
        self.end_all(&senders, pod_tasks).await;
        let _ = tokio::task::spawn_blocking(move || self.shared.watchdog.end()).await;
    }

    /// Starts a pod that has been scheduled to this node, or tells a running pod's task about a change.
    fn observe(self: &Arc<Self>, pod_tasks: &mut JoinSet<()>, senders: &mut Senders, object: Arc<Value>) {
        if object["spec"]["nodeName"] != node::NAME {
            return;
        }
        let uid = meta(&object, "uid").to_owned();
        if let Some(sender) = senders.get(&uid) {
            sender.send_replace(Desired::Present(object));
            return;
        }
        let Some(address) = self.shared.addresses.assign_to_pod() else { return };
        let key = Key::of(&kinds::PODS, &object);
        let pod = Pod::new(Arc::clone(&self.shared), Arc::clone(&object), address);
        let (sender, receiver) = watch::channel(Desired::Present(object));
        senders.insert(uid, sender);
        self.pods().insert(key.clone(), Arc::clone(&pod));
        let kubelet = Arc::clone(self);
        pod_tasks.spawn(async move {
            lifecycle::run(Arc::clone(&pod), receiver).await;
            let mut pods = kubelet.pods();
            if pods.get(&key).is_some_and(|known| Arc::ptr_eq(known, &pod)) {
                pods.remove(&key);
            }
            drop(pods);
            kubelet.shared.addresses.release(address);
        });
    }

    /// Sends SIGTERM to all pods, and SIGKILL to those that still run after the final grace period.
    async fn end_all(&self, senders: &Senders, mut pod_tasks: JoinSet<()>) {
        for (key, _) in self.pods().iter() {
            let grace_period = Some(FINAL_GRACE_PERIOD.as_secs());
            let options = DeleteOptions { grace_period, ..DeleteOptions::default() };
            // The pod may have been deleted meanwhile. That is no error.
            let _ = self.shared.store.delete(key, &options);
        }
        for (uid, sender) in senders {
            let (pods, _) = self.shared.store.list(&kinds::PODS, None);
            let now = pods.into_iter().find(|pod| meta(pod, "uid") == uid);
            sender.send_replace(now.map_or(Desired::Gone, Desired::Present));
        }
        let all_ended = async { while pod_tasks.join_next().await.is_some() {} };
        // The watchdog ends the processes that still run after this.
        let _ = timeout(FINAL_GRACE_PERIOD + Duration::from_secs(2), all_ended).await;
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.pods().get(&Key::new(&kinds::PODS, namespace, name)).cloned()
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<Key, Arc<Pod>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the files up to date in which Python programs look up the names of services.
async fn write_hosts_files(shared: Arc<Shared>) {
    loop {
        let change = NextChange::watch(&shared.store, &[&kinds::SERVICES, &kinds::NAMESPACES]);
        for namespace in shared.store.list(&kinds::NAMESPACES, None).0 {
            // If the disk is full, the old file stays.
            let _ = shared.hosts.write(&shared.store, &shared.addresses, meta(&namespace, "name"));
        }
        change.wait().await;
    }
}

impl Runtime for Kubelet {
    fn address(&self, namespace: &str, pod: &str, port: u16) -> Option<SocketAddr> {
        let pod = self.pod(namespace, pod).filter(|pod| pod.is_running())?;
        Some(SocketAddr::from((pod.address, port)))
    }

    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<LogReader> {
        self.pod(namespace, pod)?.read_log(container, previous)
    }
}
