//! Watches: one kind's changes, as they happen.

use tokio::sync::watch;

use super::contents::SharedContents;
use super::history::Event;
use crate::kinds::Kind;
use crate::refusal::Refusal;

/// Follows the objects of one kind. A watch stores only its position in the history, not the events, so a
/// watch that nobody reads needs no memory. It ends with `Expired` if it falls too far behind.
#[derive(Debug)]
pub struct Watch {
    contents: SharedContents,
    kind: &'static Kind,
    seen: u64,
    latest: watch::Receiver<u64>,
}

impl Watch {
    pub(super) fn start(contents: SharedContents, kind: &'static Kind, since: u64) -> Result<Self, Refusal> {
        let locked = contents.lock();
        let version = locked.version();
        if since > version {
            return Err(Refusal::expired(format!("too large resource version: {since} ({version})")));
        }
        locked.history(kind).after(since)?;
        let latest = locked.history(kind).subscribe();
        drop(locked);
        Ok(Self { contents, kind, seen: since, latest })
    }

    /// Waits for the next event. Dropping the future loses no event. `None` if the store no longer exists.
    pub async fn next(&mut self) -> Option<Result<Event, Refusal>> {
        loop {
            self.latest.borrow_and_update();
            let next = self.contents.lock().history(self.kind).after(self.seen);
            match next {
                Ok(None) => {}
                Ok(Some(event)) => {
                    self.seen = event.version;
                    return Some(Ok(event));
                }
                Err(refusal) => return Some(Err(refusal)),
            }
            self.latest.changed().await.ok()?;
        }
    }

    /// The latest version of the store up to which this watch has returned all events.
    pub fn catch_up(&mut self) -> u64 {
        let contents = self.contents.lock();
        if matches!(contents.history(self.kind).after(self.seen), Ok(None)) {
            self.seen = contents.version();
        }
        self.seen
    }
}
