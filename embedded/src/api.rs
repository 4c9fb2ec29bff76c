//! The API server: the store over HTTP, in the words of Kubernetes.
//!
//! It differs from Kubernetes in this:
//!
//! - There is one version of each kind, and the kinds are those of [`crate::store::kinds`]. There are no
//!   ClusterRoles, no quotas, no webhooks, no custom kinds; what is not here is `NotFound`.
//! - A list comes in one piece, whatever `limit` says. A watch can go on from the latest 1,024 events of its
//!   kind (fewer when they are large), else it ends in 410 and the client lists again.
//! - Workloads select by `matchLabels` only. Service addresses are not assigned here.
//! - Tokens live as long as the server. The ServiceAccount `default` is there without an object.
//! - Ports are forwarded over WebSockets in the form of kube; `kubectl port-forward` is refused, and so are
//!   `exec`, `attach`, `cp`, `top` and `explain`.
//! - Protobuf is read for the few objects that `kubectl` sends in no other way, and never written.
//! - In server-side apply the kind of a list (which field makes an item what it is) is known by the name of
//!   its field. A status that is changed by a controller has no owner.

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
