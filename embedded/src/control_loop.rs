//! The loop that every controller runs: it turns changes into keys, and reconciles each key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::kinds::Kind;
use crate::store::{Event, Key, Store};

/// Longest time until a key is reconciled again. A longer time would be too large for the clock.
const MAX_DELAY: Duration = Duration::from_hours(24);

/// Brings one part of the cluster from its actual to its desired state.
pub(crate) trait Controller: Send + 'static {
    /// The kinds that the controller watches.
    const KINDS: &'static [&'static Kind];

    /// The keys that have to be reconciled because of this object.
    fn keys_for(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key>;

    /// Sees every change before any key is reconciled. Needed only for facts that the objects themselves do
    /// not keep.
    fn observe(&mut self, _kind: &'static Kind, _event: &Event) {}

    /// Does what the desired state of this key still lacks. Returns the time after which the key has to be
    /// reconciled again even if nothing changes.
    fn reconcile(&mut self, store: &Store, key: &Key) -> Option<Duration>;
}

enum Change {
    Event(&'static Kind, Event),
    /// The watch has fallen too far behind, so any object may have changed.
    Resync,
}

/// Runs a controller without end.
pub(crate) async fn run<C: Controller>(store: Store, mut controller: C) {
    let mut changes = stream::select_all(C::KINDS.iter().map(|kind| changes(store.clone(), kind)));
    let mut keys = BTreeSet::new();
    let mut timers: BTreeMap<Key, Instant> = BTreeMap::new();
    let mut next = Some(Change::Resync);
    loop {
        // All waiting changes are collected first, so that a hundred changes of one object cause only one
        // call of `reconcile`.
        while let Some(change) = next {
            collect_keys(&store, &mut controller, change, &mut keys);
            next = changes.next().now_or_never().flatten();
        }
        while let Some(key) = keys.pop_first() {
            timers.remove(&key);
            if let Some(after) = controller.reconcile(&store, &key) {
                timers.insert(key, Instant::now() + after.min(MAX_DELAY));
            }
        }
        let first = timers.values().min().copied();
        next = tokio::select! {
            change = changes.next() => change,
            () = async { sleep_until(first.unwrap_or_else(Instant::now)).await }, if first.is_some() => None,
        };
        let now = Instant::now();
        keys.extend(timers.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()));
    }
}

fn collect_keys<C: Controller>(store: &Store, controller: &mut C, change: Change, keys: &mut BTreeSet<Key>) {
    match change {
        Change::Event(kind, event) => {
            controller.observe(kind, &event);
            for object in event.before.iter().chain([&event.object]) {
                keys.extend(controller.keys_for(store, kind, object));
            }
        }
        Change::Resync => {
            for kind in C::KINDS {
                for object in store.list(kind, None).0 {
                    keys.extend(controller.keys_for(store, kind, &object));
                }
            }
        }
    }
}

/// The changes of one kind from now on.
fn changes(store: Store, kind: &'static Kind) -> BoxStream<'static, Change> {
    let watch = store.watch_from_now(kind).ok();
    stream::unfold((store, watch), move |(store, watch)| async move {
        let mut watch = watch?;
        if let Ok(event) = watch.next().await? {
            return Some((Change::Event(kind, event), (store, Some(watch))));
        }
        let watch = store.watch_from_now(kind).ok();
        Some((Change::Resync, (store, watch)))
    })
    .boxed()
}
