//! All objects, in memory.

mod delete;
mod key;
pub mod kinds;
mod metadata;
mod state;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

pub use delete::{DeleteOptions, Propagation};
pub use key::Key;
pub use kinds::Kind;
pub use metadata::now;
pub use watch::{Event, EventKind, Watch};

use crate::status::Status;
use state::State;

/// Keeps every object and tells of every change. Cheap to clone; all clones are the same store.
///
/// It knows metadata and deletion, and nothing else about the kinds: what an object must look like is the
/// API's business.
#[derive(Clone, Debug)]
pub struct Store(Arc<Mutex<State>>);

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// A store with the namespaces `default` and `kube-system` and nothing in them.
    pub fn new() -> Self {
        let mut state = State::new();
        for name in ["default", "kube-system"] {
            state.add_namespace(name);
        }
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done when a caller's closure panics: it works on a copy.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object, if there is one.
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.state().get(key)
    }

    /// All objects of a kind, in one namespace or in all, sorted by key; and the version as of which this
    /// is the whole truth, from which a watch can go on.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let state = self.state();
        (state.list(kind, namespace), state.version())
    }

    /// Follows a kind from a version on: all that happened after it. 410 when that is too long ago, or in
    /// the future, which is the version of another server's life.
    pub fn watch(&self, kind: &'static Kind, since: u64) -> Result<Watch, Status> {
        let state = self.state();
        if since > state.version() {
            let latest = state.version();
            return Err(Status::expired(format!("too large resource version: {since} ({latest})")));
        }
        state.history(kind).after(since)?;
        let latest = state.history(kind).subscribe();
        drop(state);
        Ok(Watch { store: self.clone(), kind, seen: since, latest })
    }

    fn event_after(&self, kind: &'static Kind, version: u64) -> Result<Option<Event>, Status> {
        self.state().history(kind).after(version)
    }

    fn quiet_until(&self, kind: &'static Kind, seen: u64) -> u64 {
        let state = self.state();
        if matches!(state.history(kind).after(seen), Ok(None)) { state.version() } else { seen }
    }

    /// Keeps a new object. Its name is made up where it has a `generateName` only; uid, creation time,
    /// version and generation are set here.
    pub fn create(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, Status> {
        self.state().create(kind, object)
    }

    /// Changes an object: `change` gets a copy, and what it makes of it is kept if it differs. The store
    /// is locked meanwhile, so `change` must not use it. An object that is being deleted and has lost its
    /// last finalizer is gone after this.
    pub fn update(
        &self,
        key: &Key,
        change: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Value>, Status> {
        self.state().update(key, change)
    }

    /// Deletes an object, or marks it for deletion: a pod that runs, for its kubelet; an object with
    /// finalizers, for their owners. The answer is the object's last state.
    pub fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Arc<Value>, Status> {
        self.state().delete(key, options)
    }

    /// Ends a marked deletion: the kubelet calls this when a pod's last process has ended. If there is a
    /// finalizer the object stays until it goes. Nothing happens when there is no such object.
    pub fn remove(&self, key: &Key) {
        self.state().remove(key);
    }
}

#[cfg(test)]
mod tests;
