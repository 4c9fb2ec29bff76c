//! The API server: the store over HTTP, in the words of Kubernetes.

mod admit;
mod answer;
mod apply;
mod body;
mod call;
mod certificate;
mod defaults;
mod delete;
mod discovery;
mod fields;
mod follow;
mod forward;
mod handle;
mod identity;
mod lists;
mod log;
mod managers;
mod openapi;
mod patch;
mod path;
mod protobuf;
mod rbac;
mod read;
mod review;
mod scale;
mod selector;
mod server;
mod strategic;
mod table;
mod typed;
mod validate;
mod write;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub use admit::admit;
pub use identity::{Identity, Tokens};
pub use server::Server;

use crate::runtime::Runtime;
use crate::store::Store;

/// What the API server answers from.
pub struct Api {
    store: Store,
    tokens: Tokens,
    runtime: Arc<dyn Runtime>,
    large_bodies: Semaphore,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// An API over these objects, for the owners of these tokens.
    pub fn new(store: Store, tokens: Tokens, runtime: Arc<dyn Runtime>) -> Self {
        // 16 bodies of 3 MiB, and what becomes of them, at once.
        Self { store, tokens, runtime, large_bodies: Semaphore::new(16) }
    }
}
