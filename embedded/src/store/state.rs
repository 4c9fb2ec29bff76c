//! The objects and their history, as one thing that changes from version to version.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::delete::{DeleteOptions, Deletion, Propagation};
use super::key::Key;
use super::kinds::{self, Kind};
use super::metadata;
use super::watch::{Event, EventKind, History};
use crate::status::Status;

#[derive(Debug)]
pub(super) struct State {
    version: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    histories: HashMap<&'static Kind, History>,
}

impl State {
    pub(super) fn new() -> Self {
        // 0 means "any" to a client, so nothing has it.
        let version = 1;
        let histories = kinds::ALL.into_iter().map(|kind| (kind, History::new(version))).collect();
        Self { version, objects: BTreeMap::new(), histories }
    }

    pub(super) fn add_namespace(&mut self, name: &str) {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
            "spec": { "finalizers": ["kubernetes"] },
            "status": { "phase": "Active" },
        });
        let made = self.create(&kinds::NAMESPACES, namespace);
        debug_assert!(made.is_ok(), "the first namespaces have names of their own");
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

    pub(super) fn create(&mut self, kind: &'static Kind, mut object: Value) -> Result<Arc<Value>, Status> {
        let prefix = metadata::text(&object, "generateName").to_owned();
        if metadata::text(&object, "name").is_empty() && !prefix.is_empty() {
            let name = format!("{prefix}{}", metadata::suffix());
            metadata::of(&mut object).insert("name".into(), json!(name));
        }
        let key = Key::of(kind, &object);
        if key.name.is_empty() {
            let causes =
                [("metadata.name".into(), "Required value: name or generateName is required".into())];
            return Err(Status::invalid(kind, "", &causes));
        }
        if self.objects.contains_key(&key) {
            return Err(Status::already_exists(kind, &key.name));
        }
        self.check_namespace(&key)?;
        let map = metadata::of(&mut object);
        // The API server makes one up beforehand where defaults depend on it.
        map.entry("uid").or_insert_with(|| json!(uuid::Uuid::new_v4().to_string()));
        map.insert("creationTimestamp".into(), json!(metadata::now()));
        map.remove("deletionTimestamp");
        map.remove("deletionGracePeriodSeconds");
        if kind.generation {
            map.insert("generation".into(), json!(1));
        }
        Ok(self.put(&key, object, EventKind::Added, None))
    }

    fn check_namespace(&self, key: &Key) -> Result<(), Status> {
        if !key.kind.namespaced {
            return Ok(());
        }
        let namespace = self.objects.get(&Key::new(&kinds::NAMESPACES, "", key.namespace.as_str()));
        match namespace {
            None => Err(Status::not_found(&kinds::NAMESPACES, &key.namespace)),
            Some(namespace) if metadata::is_terminating(namespace) => {
                let message = format!(
                    "{} \"{}\" is forbidden: unable to create new content in namespace {} because it is being terminated",
                    key.kind.qualified(),
                    key.name,
                    key.namespace
                );
                Err(Status::new(403, "Forbidden", message))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn update(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Arc<Value>, Status> {
        let before = self.get(key).ok_or_else(|| Status::not_found(key.kind, &key.name))?;
        let mut object = Value::clone(&before);
        change(&mut object)?;
        keep_identity(key, &before, &mut object);
        if object == *before {
            return Ok(before);
        }
        if key.kind.generation && metadata::differs_in_spec(key.kind, &before, &object) {
            let generation = before["metadata"]["generation"].as_u64().unwrap_or_default();
            metadata::of(&mut object).insert("generation".into(), json!(generation + 1));
        }
        let waits_for_kubelet = object["metadata"]["deletionGracePeriodSeconds"].as_u64() != Some(0);
        let done = metadata::is_terminating(&object)
            && metadata::has_finalizers(&before)
            && !metadata::has_finalizers(&object)
            && !(key.kind.kind == "Pod" && waits_for_kubelet)
            && key.kind.kind != "Namespace";
        if done {
            return Ok(self.take(key, object));
        }
        Ok(self.put(key, object, EventKind::Modified, Some(before)))
    }

    pub(super) fn delete(&mut self, key: &Key, options: &DeleteOptions) -> Result<Arc<Value>, Status> {
        let object = self.get(key).ok_or_else(|| Status::not_found(key.kind, &key.name))?;
        options.check(key.kind, &object)?;
        match options.apply_to(key.kind, &object) {
            Deletion::Gone => Ok(self.take(key, Value::clone(&object))),
            Deletion::Marked(marked) if marked == *object => Ok(object),
            Deletion::Marked(marked) => {
                let marked = self.put(key, marked, EventKind::Modified, Some(object));
                if *key.kind == kinds::NAMESPACES {
                    self.end_namespace(&key.name);
                }
                Ok(marked)
            }
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let Some(object) = self.get(key) else { return };
        if !metadata::has_finalizers(&object) {
            self.take(key, Value::clone(&object));
            return;
        }
        let mut marked = Value::clone(&object);
        let map = metadata::of(&mut marked);
        map.entry("deletionTimestamp").or_insert_with(|| json!(metadata::now()));
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
        self.tell(key, kind, Arc::clone(&object), before);
        object
    }

    fn take(&mut self, key: &Key, last: Value) -> Arc<Value> {
        let last = self.take_one(key, last);
        if key.kind.namespaced {
            self.end_namespace(&key.namespace);
        }
        last
    }

    fn take_one(&mut self, key: &Key, mut last: Value) -> Arc<Value> {
        let before = self.objects.remove(key);
        self.version += 1;
        metadata::of(&mut last).insert("resourceVersion".into(), json!(self.version.to_string()));
        let last = Arc::new(last);
        self.tell(key, EventKind::Deleted, Arc::clone(&last), before);
        last
    }

    fn tell(&mut self, key: &Key, kind: EventKind, object: Arc<Value>, before: Option<Arc<Value>>) {
        let event = Event { kind, object, before, version: self.version };
        if let Some(history) = self.histories.get_mut(key.kind) {
            history.push(event);
        }
    }

    /// Empties a namespace that is being deleted, and ends it when nothing is left in it.
    fn end_namespace(&mut self, name: &str) {
        let key = Key::new(&kinds::NAMESPACES, "", name);
        let Some(namespace) = self.get(&key).filter(|namespace| metadata::is_terminating(namespace)) else {
            return;
        };
        let inside: Vec<Key> =
            self.objects.keys().filter(|inside| inside.namespace == name).cloned().collect();
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
                    self.take_one(inside, Value::clone(&object));
                }
                Deletion::Marked(marked) => {
                    empty = false;
                    self.put(inside, marked, EventKind::Modified, Some(object));
                }
            }
        }
        if empty {
            self.take_one(&key, Value::clone(&namespace));
        }
    }
}

/// What nobody can change once the object is there.
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
