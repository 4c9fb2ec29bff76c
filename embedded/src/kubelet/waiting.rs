//! Waiting until something that was missing may be there.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use crate::store::{Kind, Store, Watch};

/// Begun before the look that finds something missing, so that no change falls between the two.
pub(super) struct Patience(Vec<Watch>);

impl Patience {
    /// Begins to watch these kinds.
    pub(super) fn begin(store: &Store, kinds: &[&'static Kind]) -> Self {
        let watch = |kind: &&'static Kind| store.watch(kind, store.list(kind, Some("")).1).ok();
        Self(kinds.iter().filter_map(watch).collect())
    }

    /// Waits until an object of one of the kinds has changed.
    pub(super) async fn until_changed(mut self) {
        let mut changes: FuturesUnordered<_> = self.0.iter_mut().map(Watch::next).collect();
        changes.next().await;
    }
}
