//! What the API server answers from.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::identity::Tokens;
use crate::runtime::Runtime;
use crate::store::Store;

/// Large request bodies that are processed at the same time. Each has up to 3 MiB.
const LARGE_BODIES: usize = 16;

/// What the API server answers from.
pub struct Api {
    pub(crate) store: Store,
    pub(crate) tokens: Tokens,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// Limits the memory that large request bodies need.
    pub(crate) large_bodies: Semaphore,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// An API over the objects of this store. Clients identify themselves with these tokens.
    pub fn new(store: Store, tokens: Tokens, runtime: Arc<dyn Runtime>) -> Self {
        Self { store, tokens, runtime, large_bodies: Semaphore::new(LARGE_BODIES) }
    }
}
