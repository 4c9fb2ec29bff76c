//! Events, and those who wait for them.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::Store;
use super::kinds::Kind;
use crate::status::Status;

/// How many events of one kind are kept for those who come back. Who is further behind lists again.
const KEPT: usize = 1024;
/// And how much of them, bytes: a few large objects that change often must not fill the memory.
const KEPT_BYTES: usize = 8 * 1024 * 1024;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is new.
    Added,
    /// It has changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// Something happened to an object.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after it; for a deletion its last state, with the version of the deletion.
    pub object: Arc<Value>,
    /// The object before it.
    pub before: Option<Arc<Value>>,
    /// The store's version that came of it.
    pub version: u64,
}

/// The latest events of one kind.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Event>,
    bytes: usize,
    /// Events after this version are all here.
    complete_since: u64,
    latest: watch::Sender<u64>,
}

impl History {
    pub(super) fn new(version: u64) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            complete_since: version,
            latest: watch::Sender::new(version),
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        let version = event.version;
        self.bytes += size(&event.object);
        self.events.push_back(event);
        while self.events.len() > KEPT || (self.bytes > KEPT_BYTES && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= size(&oldest.object);
            self.complete_since = oldest.version;
        }
        self.latest.send_replace(version);
    }

    pub(super) fn after(&self, version: u64) -> Result<Option<Event>, Status> {
        if version < self.complete_since {
            let oldest = self.complete_since;
            return Err(Status::expired(format!("too old resource version: {version} ({oldest})")));
        }
        let next = self.events.partition_point(|event| event.version <= version);
        Ok(self.events.get(next).cloned())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

/// About what a value takes, bytes.
fn size(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    };
    inside + size_of::<Value>()
}

/// Follows the objects of one kind. It holds no events, only its place among them, so one that is not
/// read costs nothing; it ends in `Expired` if it falls too far behind.
#[derive(Debug)]
pub struct Watch {
    pub(super) store: Store,
    pub(super) kind: &'static Kind,
    pub(super) seen: u64,
    pub(super) latest: watch::Receiver<u64>,
}

impl Watch {
    /// The next event; waits for it. Dropping the future loses nothing. `None` when the store is gone.
    pub async fn next(&mut self) -> Option<Result<Event, Status>> {
        loop {
            self.latest.borrow_and_update();
            match self.store.event_after(self.kind, self.seen) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    self.seen = event.version;
                    return Some(Ok(event));
                }
                Err(status) => return Some(Err(status)),
            }
            self.latest.changed().await.ok()?;
        }
    }

    /// The version up to which nothing has happened but what has been handed out.
    pub fn catch_up(&mut self) -> u64 {
        self.seen = self.store.quiet_until(self.kind, self.seen);
        self.seen
    }
}
