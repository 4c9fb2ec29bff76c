//! Garbage collection: what is owned goes with its owner.

use std::time::Duration;

use serde_json::{Value, json};

use super::work::Controller;
use crate::object::{is_leaving, meta};
use crate::store::{DeleteOptions, Key, Kind, Propagation, Store, kinds};

pub(super) struct Garbage;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

impl Controller for Garbage {
    /// What owns or is owned in this cluster.
    const KINDS: &'static [&'static Kind] = &[
        &kinds::CRON_JOBS,
        &kinds::JOBS,
        &kinds::DEPLOYMENTS,
        &kinds::REPLICA_SETS,
        &kinds::PODS,
        &kinds::SERVICES,
        &kinds::ENDPOINT_SLICES,
        &kinds::CONFIG_MAPS,
        &kinds::SECRETS,
        &kinds::SERVICE_ACCOUNTS,
    ];

    fn concerns(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key> {
        let itself = Key::of(kind, object);
        let gone = store.get(&itself).is_none_or(|now| now["metadata"]["uid"] != object["metadata"]["uid"]);
        let mut keys = if gone { dependents(store, object) } else { vec![itself] };
        // An owner that is deleted in the foreground waits for this one.
        keys.extend(owners(object).filter_map(|owner| owner_key(object, owner)));
        keys
    }

    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration> {
        let object = store.get(key)?;
        let has = |finalizer: &str| {
            let finalizers = object["metadata"]["finalizers"].as_array();
            is_leaving(&object) && finalizers.is_some_and(|list| list.iter().any(|entry| entry == finalizer))
        };
        if has(ORPHAN) {
            for dependent in dependents(store, &object) {
                let _ = store.update(&dependent, |dependent| {
                    disown(dependent, meta(&object, "uid"));
                    Ok(())
                });
            }
            release(store, key, ORPHAN);
        } else if has(FOREGROUND) {
            let dependents = dependents(store, &object);
            for dependent in &dependents {
                delete(store, dependent, Propagation::Foreground);
            }
            if dependents.iter().all(|dependent| store.get(dependent).is_none()) {
                release(store, key, FOREGROUND);
            }
        } else if !is_leaving(&object) && owners(&object).next().is_some() {
            let alive = owners(&object).any(|owner| is_there(store, &object, owner));
            if !alive {
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

/// Whether an owner exists. One of a kind that is not kept here cannot be known, so it does.
fn is_there(store: &Store, object: &Value, owner: &Value) -> bool {
    owner_key(object, owner)
        .is_none_or(|key| store.get(&key).is_some_and(|found| found["metadata"]["uid"] == owner["uid"]))
}

/// All that is owned by this object.
fn dependents(store: &Store, owner: &Value) -> Vec<Key> {
    let (uid, namespace) = (&owner["metadata"]["uid"], meta(owner, "namespace"));
    let namespace = (!namespace.is_empty()).then_some(namespace);
    let kinds = Garbage::KINDS.iter();
    kinds
        .flat_map(|kind| {
            let (objects, _) = store.list(kind, namespace);
            let owned = objects.into_iter().filter(|object| owners(object).any(|owner| owner["uid"] == *uid));
            owned.map(|object| Key::of(kind, &object)).collect::<Vec<_>>()
        })
        .collect()
}

fn delete(store: &Store, key: &Key, propagation: Propagation) {
    let leaving = store.get(key).is_none_or(|object| is_leaving(&object));
    if !leaving {
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        // Gone meanwhile is what was wanted.
        let _ = store.delete(key, &options);
    }
}

fn release(store: &Store, key: &Key, finalizer: &str) {
    let _ = store.update(key, |object| {
        if let Some(list) = object["metadata"]["finalizers"].as_array_mut() {
            list.retain(|entry| entry != finalizer);
        }
        Ok(())
    });
}

fn disown(dependent: &mut Value, uid: &str) {
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
