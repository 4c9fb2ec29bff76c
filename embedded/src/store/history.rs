//! The latest changes of each kind, for watches.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::refusal::Refusal;

/// Largest number of events that are kept for each kind. A watch that is further behind has to list again.
const MAX_EVENTS: usize = 1024;
/// Largest size of these events in bytes, for each kind, so that large objects that change often do not fill the
/// memory. A watch is behind by this much only if its client has stopped reading.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// What an entry of an object takes beside its name and value, in bytes: its share of a node of the map, which is
/// two thirds full on average, and the name's allocation.
const ENTRY_BYTES: usize = 48;

/// The type of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The object is new.
    Added,
    /// The object has changed.
    Modified,
    /// The object was deleted.
    Deleted,
}

/// A change of an object.
#[derive(Clone, Debug)]
pub struct Event {
    /// The type of the change.
    pub kind: EventKind,
    /// The object after the change. For a deletion: its last state, with the version of the deletion.
    pub object: Arc<Value>,
    /// The object before the change. `None` for a new object.
    pub before: Option<Arc<Value>>,
    /// The store's version after the change.
    pub version: u64,
}

/// The latest events of one kind.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Event>,
    bytes: usize,
    /// All events after this version are kept.
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
        while self.events.len() > MAX_EVENTS || (self.bytes > MAX_BYTES && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= size(&oldest.object);
            self.complete_since = oldest.version;
        }
        self.latest.send_replace(version);
    }

    /// The first event after a version.
    pub(super) fn after(&self, version: u64) -> Result<Option<Event>, Refusal> {
        if version < self.complete_since {
            let oldest = self.complete_since;
            return Err(Refusal::expired(format!("too old resource version: {version} ({oldest})")));
        }
        let next = self.events.partition_point(|event| event.version <= version);
        Ok(self.events.get(next).cloned())
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

/// Approximate size of a value in memory, in bytes.
fn size(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(name, value)| ENTRY_BYTES + name.len() + size(value)).sum(),
        _ => 0,
    };
    inside + size_of::<Value>()
}
