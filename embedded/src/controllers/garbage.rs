//! Garbage collection: deletes objects whose owners have been deleted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_loop::Controller;
use crate::kinds::{self, Kind};
use crate::object::metadata::{is_terminating, meta};
use crate::store::{DeleteOptions, Key, Propagation, Store};

pub(super) struct GarbageCollector;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

impl Controller for GarbageCollector {
    /// The kinds that own others or have owners in this cluster.
    const KINDS: &'static [&'static Kind] = &[
        &kinds::CRON_JOBS,
        &kinds::JOBS,
        &kinds::DEPLOYMENTS,
        &kinds::REPLICA_SETS,
        &kinds::STATEFUL_SETS,
        &kinds::PODS,
        &kinds::SERVICES,
        &kinds::ENDPOINT_SLICES,
        &kinds::CONFIG_MAPS,
        &kinds::SECRETS,
        &kinds::SERVICE_ACCOUNTS,
    ];

    fn keys_for(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let itself = Key::of(kind, object);
        let is_deleted =
            store.get(&itself).is_none_or(|now| now["metadata"]["uid"] != object["metadata"]["uid"]);
        let mut keys = if is_deleted { dependents(store, object) } else { vec![itself] };
        // An owner whose deletion is in the foreground waits for this object.
        keys.extend(owners(object).filter_map(|owner| owner_key(object, owner)));
        keys
    }

    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let object = store.get(key)?;
        let has = |finalizer: &str| {
            let finalizers = object["metadata"]["finalizers"].as_array();
            is_terminating(&object)
                && finalizers.is_some_and(|list| list.iter().any(|entry| entry == finalizer))
        };
        if has(ORPHAN) {
            for dependent in dependents(store, &object) {
                let _ = store.update(&dependent, |dependent| {
                    remove_owner(dependent, meta(&object, "uid"));
                    Ok(())
                });
            }
            remove_finalizer(store, key, ORPHAN);
        } else if has(FOREGROUND) {
            let dependents = dependents(store, &object);
            for dependent in &dependents {
                delete(store, dependent, Propagation::Foreground);
            }
            if dependents.iter().all(|dependent| store.get(dependent).is_none()) {
                remove_finalizer(store, key, FOREGROUND);
            }
        } else if !is_terminating(&object) && owners(&object).next().is_some() {
            let has_owner = owners(&object).any(|owner| exists(store, &object, owner));
            if !has_owner {
                delete(store, key, Propagation::Background);
            }
        }
        None
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

fn owner_key(object: &Value, owner: &Value) -> Option<Key> {
    let kind = kinds::ALL.into_iter().find(|kind| owner["kind"] == kind.kind)?;
    Some(Key::new(kind, meta(object, "namespace"), owner["name"].as_str()?))
}

/// Whether an owner exists. An owner of a kind that this cluster does not know counts as existing.
fn exists(store: &Store, object: &Value, owner: &Value) -> bool {
    owner_key(object, owner)
        .is_none_or(|key| store.get(&key).is_some_and(|found| found["metadata"]["uid"] == owner["uid"]))
}

/// The objects that this object owns.
fn dependents(store: &Store, owner: &Value) -> Vec<Key> {
    let (uid, namespace) = (&owner["metadata"]["uid"], meta(owner, "namespace"));
    let namespace = (!namespace.is_empty()).then_some(namespace);
    let kinds = GarbageCollector::KINDS.iter();
    kinds
        .flat_map(|kind| {
            let (objects, _) = store.list(kind, namespace);
            let owned = objects.into_iter().filter(|object| owners(object).any(|owner| owner["uid"] == *uid));
            owned.map(|object| Key::of(kind, &object)).collect::<Vec<_>>()
        })
        .collect()
}

fn delete(store: &Store, key: &Key, propagation: Propagation) {
    let in_progress = store.get(key).is_none_or(|object| is_terminating(&object));
    if !in_progress {
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        // Another deletion may have come first. That is no error.
        let _ = store.delete(key, &options);
    }
}

fn remove_finalizer(store: &Store, key: &Key, finalizer: &str) {
    let _ = store.update(key, |object| {
        if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
            list.retain(|entry| entry != finalizer);
        }
        Ok(())
    });
}

fn remove_owner(dependent: &mut Value, uid: &str) {
    let metadata = &mut dependent["metadata"];
    if let Some(list) = metadata["ownerReferences"].as_array_mut() {
        list.retain(|owner| owner["uid"] != json!(uid));
        if list.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.remove("ownerReferences");
        }
    }
}
