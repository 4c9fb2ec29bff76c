//! The kubelet: runs pods as local processes.

mod addresses;
mod backoff;
mod container;
mod environment;
mod hosts;
mod images;
mod launch;
mod locust;
mod logs;
mod pod;
mod probe;
mod process;
mod status;
mod substitute;
mod usage;
mod volumes;
mod waiting;
mod watchdog;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch as tell;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::controllers::NODE;
use crate::object::meta;
use crate::runtime::{LogReader, Runtime, Usage};
use crate::store::{EventKind, Key, Store, kinds};
pub(crate) use addresses::Addresses;
use hosts::Hosts;
pub(crate) use images::Images;
pub(crate) use locust::Environments;
use pod::{Pod, Wish};
pub use process::{POD_MODE, become_pod};
pub(crate) use watchdog::Watchdog;
pub use watchdog::{WATCHDOG_MODE, watch};

/// How long pods have when the whole cluster ends.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Makes the text of a kubeconfig for a namespace's ServiceAccount.
pub(crate) type Kubeconfig = Box<dyn Fn(&str, &str) -> Result<String, String> + Send + Sync>;

/// Runs the pods of this machine.
pub(crate) struct Kubelet {
    store: Store,
    folder: PathBuf,
    images: Images,
    addresses: Arc<Addresses>,
    hosts: Hosts,
    watchdog: Arc<Watchdog>,
    kubeconfig: OnceLock<Kubeconfig>,
    pods: Mutex<HashMap<Key, Arc<Pod>>>,
}

impl Kubelet {
    /// A kubelet whose pods' files are kept in `folder`.
    ///
    /// # Errors
    /// The folder cannot be used, or a process cannot be started.
    pub(crate) fn new(
        store: Store,
        folder: PathBuf,
        images: Images,
        addresses: Arc<Addresses>,
    ) -> std::io::Result<Arc<Self>> {
        let hosts = Hosts::create(folder.join("hosts"))?;
        let watchdog = Arc::new(Watchdog::start(&folder)?);
        let (kubeconfig, pods) = (OnceLock::new(), Mutex::default());
        Ok(Arc::new(Self { store, folder, images, addresses, hosts, watchdog, kubeconfig, pods }))
    }

    /// Tells how pods find the API server, once it has an address. Only the first call counts.
    pub(crate) fn set_kubeconfig(&self, kubeconfig: Kubeconfig) {
        let _ = self.kubeconfig.set(kubeconfig);
    }

    /// Runs pods until `ending` says that the cluster ends; then ends them all, and returns when the last
    /// one has gone.
    pub(crate) async fn run(self: Arc<Self>, mut ending: tell::Receiver<bool>) {
        let mut lives = JoinSet::new();
        let mut wishes: HashMap<String, tell::Sender<Wish>> = HashMap::new();
        let names = tokio::spawn(Arc::clone(&self).write_names());
        while !*ending.borrow() {
            let (pods, version) = self.store.list(&kinds::PODS, None);
            let present: BTreeSet<String> = pods.iter().map(|pod| meta(pod, "uid").to_owned()).collect();
            for pod in pods {
                self.take_in(&mut lives, &mut wishes, pod);
            }
            wishes.iter().filter(|(uid, _)| !present.contains(*uid)).for_each(|(_, wish)| {
                wish.send_replace(Wish::Gone);
            });
            let Ok(mut changes) = self.store.watch(&kinds::PODS, version) else { continue };
            loop {
                tokio::select! {
                    change = changes.next() => match change {
                        Some(Ok(event)) if event.kind == EventKind::Deleted => {
                            if let Some(wish) = wishes.remove(meta(&event.object, "uid")) {
                                wish.send_replace(Wish::Gone);
                            }
                        }
                        Some(Ok(event)) => self.take_in(&mut lives, &mut wishes, event.object),
                        // Too far behind: look at everything again.
                        Some(Err(_)) | None => break,
                    },
                    Some(_) = lives.join_next() => {}
                    _ = ending.wait_for(|ending| *ending) => break,
                }
            }
        }
        names.abort();
        self.end_all(&wishes, lives).await;
        let _ = tokio::task::spawn_blocking(move || self.watchdog.end()).await;
    }

    fn take_in(
        self: &Arc<Self>,
        lives: &mut JoinSet<()>,
        wishes: &mut HashMap<String, tell::Sender<Wish>>,
        object: Arc<Value>,
    ) {
        if object["spec"]["nodeName"] != NODE {
            return;
        }
        let uid = meta(&object, "uid").to_owned();
        if let Some(wish) = wishes.get(&uid) {
            wish.send_replace(Wish::Present(object));
            return;
        }
        let Some(address) = self.addresses.take() else { return };
        let key = Key::of(&kinds::PODS, &object);
        let pod = Pod::new(Arc::clone(self), Arc::clone(&object), address);
        let (wish, receiver) = tell::channel(Wish::Present(object));
        wishes.insert(uid, wish);
        self.pods().insert(key.clone(), Arc::clone(&pod));
        let kubelet = Arc::clone(self);
        lives.spawn(async move {
            Arc::clone(&pod).live(receiver).await;
            let mut pods = kubelet.pods();
            if pods.get(&key).is_some_and(|known| Arc::ptr_eq(known, &pod)) {
                pods.remove(&key);
            }
            drop(pods);
            kubelet.addresses.give_back(address);
        });
    }

    /// SIGTERM to all, and SIGKILL to those that are left after a moment.
    async fn end_all(&self, wishes: &HashMap<String, tell::Sender<Wish>>, mut lives: JoinSet<()>) {
        for (key, _) in self.pods().iter() {
            let grace = Some(LAST_GRACE.as_secs());
            let options = crate::store::DeleteOptions { grace_period: grace, ..Default::default() };
            // Gone meanwhile is what is wanted.
            let _ = self.store.delete(key, &options);
        }
        for (uid, wish) in wishes {
            let (pods, _) = self.store.list(&kinds::PODS, None);
            let now = pods.into_iter().find(|pod| meta(pod, "uid") == uid);
            wish.send_replace(now.map_or(Wish::Gone, Wish::Present));
        }
        let all = async { while lives.join_next().await.is_some() {} };
        // Each is killed when its grace is over; what then still runs, the watchdog ends.
        let _ = timeout(LAST_GRACE + Duration::from_secs(2), all).await;
    }

    /// Keeps the files up to date in which pods look up names.
    async fn write_names(self: Arc<Self>) {
        loop {
            let patience = waiting::Patience::begin(&self.store, &[&kinds::SERVICES, &kinds::NAMESPACES]);
            for namespace in self.store.list(&kinds::NAMESPACES, None).0 {
                // A full disk: names stay as they were.
                let _ = self.hosts.write(&self.store, &self.addresses, meta(&namespace, "name"));
            }
            patience.until_changed().await;
        }
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.pods().get(&Key::new(&kinds::PODS, namespace, name)).cloned()
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<Key, Arc<Pod>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for Kubelet {
    fn address(&self, namespace: &str, pod: &str, port: u16) -> Option<SocketAddr> {
        let pod = self.pod(namespace, pod).filter(|pod| pod.runs())?;
        Some(SocketAddr::from((pod.address, port)))
    }

    fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<LogReader> {
        self.pod(namespace, pod)?.read_log(container, previous)
    }

    fn usage(&self, namespace: &str, pod: &str) -> Option<Usage> {
        self.pod(namespace, pod)?.usage()
    }
}
