//! The loop of every controller: changes become keys to look at, and each key is looked at anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::store::{Event, Key, Kind, Store};

/// Something that keeps one aspect of the objects true.
pub(crate) trait Controller: Send + 'static {
    /// The kinds whose changes it has to know.
    const KINDS: &'static [&'static Kind];

    /// What has to be looked at because of this object of this kind.
    fn concerns(&self, store: &Store, kind: &'static Kind, object: &Value) -> Vec<Key>;

    /// Told of every change before anything is looked at; only for what the objects will not tell later.
    fn notice(&mut self, _kind: &'static Kind, _event: &Event) {}

    /// Does what is missing for this key. The time after which to look again even if nothing changes.
    fn look(&mut self, store: &Store, key: &Key) -> Option<Duration>;
}

enum Change {
    Event(&'static Kind, Event),
    /// The history has run away: anything may have changed.
    Lost,
}

/// Runs a controller for ever.
pub(crate) async fn run<C: Controller>(store: Store, mut controller: C) {
    let mut changes = stream::select_all(C::KINDS.iter().map(|kind| changes(store.clone(), kind)));
    let mut keys = BTreeSet::new();
    let mut timers: BTreeMap<Key, Instant> = BTreeMap::new();
    let mut next = Some(Change::Lost);
    loop {
        // Everything that has happened is taken in before anything is looked at: a hundred changes of
        // one thing are one look.
        while let Some(change) = next {
            take_in(&store, &mut controller, change, &mut keys);
            next = changes.next().now_or_never().flatten();
        }
        while let Some(key) = keys.pop_first() {
            timers.remove(&key);
            if let Some(after) = controller.look(&store, &key) {
                timers.insert(key, Instant::now() + after);
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

fn take_in<C: Controller>(store: &Store, controller: &mut C, change: Change, keys: &mut BTreeSet<Key>) {
    match change {
        Change::Event(kind, event) => {
            controller.notice(kind, &event);
            for object in event.before.iter().chain([&event.object]) {
                keys.extend(controller.concerns(store, kind, object));
            }
        }
        Change::Lost => {
            for kind in C::KINDS {
                for object in store.list(kind, None).0 {
                    keys.extend(controller.concerns(store, kind, &object));
                }
            }
        }
    }
}

/// The changes of one kind from now on.
fn changes(store: Store, kind: &'static Kind) -> BoxStream<'static, Change> {
    let start = move |store: &Store| store.watch(kind, store.list(kind, Some("")).1).ok();
    let watch = start(&store);
    stream::unfold((store, watch), move |(store, watch)| async move {
        let mut watch = watch?;
        if let Ok(event) = watch.next().await? {
            return Some((Change::Event(kind, event), (store, Some(watch))));
        }
        let watch = start(&store);
        Some((Change::Lost, (store, watch)))
    })
    .boxed()
}
