//! The objects and their history. Every change raises the version.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::delete::{DeleteOptions, Deletion, Propagation};
use super::history::{Event, EventKind, History};
use super::key::Key;
use super::metadata;
use crate::kinds::{self, Kind};
use crate::refusal::Refusal;
use crate::time;

/// How often a name is drawn for an object with a `generateName`, as by the API server since Kubernetes 1.30.
const NAMES_DRAWN: usize = 8;

/// The contents behind a lock. Clones share the same contents.
#[derive(Clone, Debug)]
pub(super) struct SharedContents(Arc<Mutex<Contents>>);

impl SharedContents {
    pub(super) fn new(contents: Contents) -> Self {
        Self(Arc::new(Mutex::new(contents)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Contents> {
        // A caller's closure that panics leaves nothing half changed, because it works on a copy.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All objects of a store, and the latest events of each kind.
#[derive(Debug)]
pub(super) struct Contents {
    version: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    histories: HashMap<&'static Kind, History>,
}

impl Contents {
    pub(super) fn new() -> Self {
        // Clients send version 0 to ask for any version, so no object may have it.
        let version = 1;
        let histories = kinds::ALL.into_iter().map(|kind| (kind, History::new(version))).collect();
        Self { version, objects: BTreeMap::new(), histories }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn history(&self, kind: &'static Kind) -> &History {
        &self.histories[kind]
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    pub(super) fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let first = Key { kind, namespace: namespace.unwrap_or_default().into(), name: String::new() };
        self.objects
            .range(first..)
            .take_while(|(key, _)| key.kind == kind && namespace.is_none_or(|wanted| key.namespace == wanted))
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    pub(super) fn create(&mut self, kind: &'static Kind, mut object: Value) -> Result<Arc<Value>, Refusal> {
        let prefix = metadata::text(&object, "generateName").to_owned();
        if metadata::text(&object, "name").is_empty() && !prefix.is_empty() {
            for _ in 0..NAMES_DRAWN {
                let name = format!("{prefix}{}", metadata::random_suffix());
                metadata::of(&mut object).insert("name".into(), json!(name));
                if !self.objects.contains_key(&Key::of(kind, &object)) {
                    break;
                }
            }
        }
        let key = Key::of(kind, &object);
        if key.name.is_empty() {
            let causes =
                [("metadata.name".into(), "Required value: name or generateName is required".into())];
            return Err(Refusal::invalid(kind, "", &causes));
        }
        if self.objects.contains_key(&key) {
            return Err(Refusal::already_exists(kind, &key.name));
        }
        self.check_namespace(&key)?;
        let map = metadata::of(&mut object);
        // The API server has already set the uid of kinds whose defaults depend on it.
        map.entry("uid").or_insert_with(|| json!(uuid::Uuid::new_v4().to_string()));
        map.insert("creationTimestamp".into(), json!(time::now()));
        map.remove("deletionTimestamp");
        map.remove("deletionGracePeriodSeconds");
        if !kind.generation_fields.is_empty() {
            map.insert("generation".into(), json!(1));
        }
        Ok(self.put(&key, object, EventKind::Added, None))
    }

    /// Refuses an object whose namespace does not exist or is being deleted.
    fn check_namespace(&self, key: &Key) -> Result<(), Refusal> {
        let Some(container) = key.kind.container() else { return Ok(()) };
        let namespace = self.objects.get(&Key::new(container, "", key.namespace.as_str()));
        match namespace {
            None => Err(Refusal::not_found(container, &key.namespace)),
            Some(namespace) if metadata::is_terminating(namespace) => {
                let message = format!(
                    "{} \"{}\" is forbidden: unable to create new content in namespace {} because it is being terminated",
                    key.kind.qualified(),
                    key.name,
                    key.namespace
                );
                Err(Refusal::new(403, "Forbidden", message))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn update(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Value) -> Result<(), Refusal>,
    ) -> Result<Arc<Value>, Refusal> {
        let before = self.get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
        let mut object = Value::clone(&before);
        change(&mut object)?;
        keep_identity(key, &before, &mut object);
        if object == *before {
            return Ok(before);
        }
        if metadata::changes_generation(key.kind, &before, &object) {
            let generation = before["metadata"]["generation"].as_u64().unwrap_or_default();
            metadata::of(&mut object).insert("generation".into(), json!(generation + 1));
        }
        let still_runs =
            key.kind.ends_gracefully && object["metadata"]["deletionGracePeriodSeconds"].as_u64() != Some(0);
        let is_deleted = metadata::is_terminating(&object)
            && metadata::has_finalizers(&before)
            && !metadata::has_finalizers(&object)
            && !still_runs
            && !key.kind.contains_objects;
        if is_deleted {
            return Ok(self.drop_object(key, object));
        }
        Ok(self.put(key, object, EventKind::Modified, Some(before)))
    }

    pub(super) fn delete(&mut self, key: &Key, options: &DeleteOptions) -> Result<Arc<Value>, Refusal> {
        let object = self.get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
        options.check(key.kind, &object)?;
        match options.apply_to(key.kind, &object) {
            Deletion::Gone => Ok(self.drop_object(key, Value::clone(&object))),
            Deletion::Marked(marked) if marked == *object => Ok(object),
            Deletion::Marked(marked) => {
                let marked = self.put(key, marked, EventKind::Modified, Some(object));
                if key.kind.contains_objects {
                    self.empty_container(key);
                }
                Ok(marked)
            }
        }
    }

    /// Finishes a deletion. If the object has finalizers, only marks it as ended.
    pub(super) fn remove(&mut self, key: &Key) {
        let Some(object) = self.get(key) else { return };
        if !metadata::has_finalizers(&object) {
            self.drop_object(key, Value::clone(&object));
            return;
        }
        let mut marked = Value::clone(&object);
        let map = metadata::of(&mut marked);
        map.entry("deletionTimestamp").or_insert_with(|| json!(time::now()));
        map.insert("deletionGracePeriodSeconds".into(), json!(0));
        if marked != *object {
            self.put(key, marked, EventKind::Modified, Some(object));
        }
    }

    fn put(
        &mut self,
        key: &Key,
        mut object: Value,
        kind: EventKind,
        before: Option<Arc<Value>>,
    ) -> Arc<Value> {
        self.version += 1;
        object["apiVersion"] = json!(key.kind.api_version());
        object["kind"] = json!(key.kind.kind);
        metadata::of(&mut object).insert("resourceVersion".into(), json!(self.version.to_string()));
        let object = Arc::new(object);
        self.objects.insert(key.clone(), Arc::clone(&object));
        self.record(key, kind, Arc::clone(&object), before);
        object
    }

    /// Drops an object, and also its namespace if that is being deleted and is now empty.
    fn drop_object(&mut self, key: &Key, last: Value) -> Arc<Value> {
        let last = self.drop_one(key, last);
        if let Some(container) = key.kind.container() {
            self.empty_container(&Key::new(container, "", key.namespace.as_str()));
        }
        last
    }

    fn drop_one(&mut self, key: &Key, mut last: Value) -> Arc<Value> {
        let before = self.objects.remove(key);
        self.version += 1;
        metadata::of(&mut last).insert("resourceVersion".into(), json!(self.version.to_string()));
        let last = Arc::new(last);
        self.record(key, EventKind::Deleted, Arc::clone(&last), before);
        last
    }

    fn record(&mut self, key: &Key, kind: EventKind, object: Arc<Value>, before: Option<Arc<Value>>) {
        let event = Event { kind, object, before, version: self.version };
        if let Some(history) = self.histories.get_mut(key.kind) {
            history.push(event);
        }
    }

    /// Deletes everything inside a namespace that is being deleted. The namespace goes with its last object.
    fn empty_container(&mut self, key: &Key) {
        let Some(namespace) = self.get(key).filter(|namespace| metadata::is_terminating(namespace)) else {
            return;
        };
        let inside: Vec<Key> =
            self.objects.keys().filter(|inside| inside.namespace == key.name).cloned().collect();
        let options =
            DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
        let mut empty = true;
        for inside in &inside {
            let Some(object) = self.get(inside) else { continue };
            if metadata::is_terminating(&object) {
                empty = false;
                continue;
            }
            match options.apply_to(inside.kind, &object) {
                Deletion::Gone => {
                    self.drop_one(inside, Value::clone(&object));
                }
                Deletion::Marked(marked) => {
                    empty = false;
                    self.put(inside, marked, EventKind::Modified, Some(object));
                }
            }
        }
        if empty {
            self.drop_one(key, Value::clone(&namespace));
        }
    }
}

/// Restores the fields that nobody can change after the creation.
fn keep_identity(key: &Key, before: &Value, object: &mut Value) {
    let map = metadata::of(object);
    for field in ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation"] {
        match &before["metadata"][field] {
            Value::Null => map.remove(field),
            value => map.insert(field.into(), value.clone()),
        };
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        match &before["metadata"][field] {
            Value::Null => map.remove(field),
            value => map.insert(field.into(), value.clone()),
        };
    }
    object["apiVersion"] = json!(key.kind.api_version());
    object["kind"] = json!(key.kind.kind);
}
