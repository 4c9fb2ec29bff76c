//! Waiting for an object that is missing.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::kinds::Kind;
use crate::store::{Store, Watch};

/// The next change of some kinds. Create it before looking for an object: then a change between the look and
/// the wait is not missed.
pub(crate) struct NextChange(Vec<Watch>);

impl NextChange {
    /// Starts to watch these kinds.
    pub(crate) fn watch(store: &Store, kinds: &[&'static Kind]) -> Self {
        Self(kinds.iter().filter_map(|kind| store.watch_from_now(kind).ok()).collect())
    }

    /// Waits until an object of one of the kinds has changed.
    pub(crate) async fn wait(mut self) {
        let mut changes: FuturesUnordered<_> = self.0.iter_mut().map(Watch::next).collect();
        changes.next().await;
    }
}
