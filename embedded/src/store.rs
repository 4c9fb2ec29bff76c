//! The store: all objects, in memory.

mod contents;
mod delete;
mod history;
mod key;
mod metadata;
mod watch;

use std::sync::Arc;

use serde_json::{Value, json};

pub use delete::{DeleteOptions, Propagation};
pub use history::{Event, EventKind};
pub use key::Key;
pub use watch::Watch;

use crate::kinds::{Kind, NAMESPACES};
use crate::refusal::Refusal;
use contents::{Contents, SharedContents};

/// Keeps all objects, and tells watchers about every change. Clones share the same objects.
///
/// The store itself maintains metadata and carries out deletions. The flags of a [`Kind`] say how. The API
/// server decides which objects are valid.
#[derive(Clone, Debug)]
pub struct Store(SharedContents);

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// A store that contains only the namespaces `default` and `kube-system`.
    pub fn new() -> Self {
        let mut contents = Contents::new();
        for name in ["default", "kube-system"] {
            let created = contents.create(&NAMESPACES, namespace(name));
            debug_assert!(created.is_ok(), "the store is empty, so both names are free");
        }
        Self(SharedContents::new(contents))
    }

    /// The object, if there is one.
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.0.lock().get(key)
    }

    /// All objects of a kind in one namespace (or in all), sorted by key; and the store's version at that
    /// moment. A watch from this version misses no change.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let contents = self.0.lock();
        (contents.list(kind, namespace), contents.version())
    }

    /// Watches a kind for the changes after a version. Refused with 410 if that version is too old, or if it
    /// is in the future: then the client got it from an earlier run of this server.
    pub fn watch(&self, kind: &'static Kind, since: u64) -> Result<Watch, Refusal> {
        Watch::start(self.0.clone(), kind, since)
    }

    /// Watches a kind for the changes from now on.
    pub fn watch_from_now(&self, kind: &'static Kind) -> Result<Watch, Refusal> {
        let now = self.0.lock().version();
        self.watch(kind, now)
    }

    /// Adds a new object. Sets uid, creation time, version and generation, and makes up a name if the object
    /// has only a `generateName`.
    pub fn create(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, Refusal> {
        self.0.lock().create(kind, object)
    }

    /// Changes an object: `change` receives a copy, which is stored if it differs. The store is locked
    /// meanwhile, so `change` must not use it. An object that is being deleted disappears when its last
    /// finalizer is removed.
    pub fn update(
        &self,
        key: &Key,
        change: impl FnOnce(&mut Value) -> Result<(), Refusal>,
    ) -> Result<Arc<Value>, Refusal> {
        self.0.lock().update(key, change)
    }

    /// Deletes an object, or marks it as being deleted if others have to finish the deletion: the kubelet for
    /// a running pod, the owners of finalizers for an object that has some. Returns the last state.
    pub fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Arc<Value>, Refusal> {
        self.0.lock().delete(key, options)
    }

    /// Finishes the deletion of an object. The kubelet calls this when the last process of a pod has ended.
    /// An object with finalizers stays until they are removed. A missing object is no error.
    pub fn remove(&self, key: &Key) {
        self.0.lock().remove(key);
    }
}

fn namespace(name: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

#[cfg(test)]
mod tests;
