//! The API server: it answers the Kubernetes API over HTTP from the store.
//!
//! - `admit` decides which objects are valid, and fills in defaults.
//! - `wire` translates between HTTP and objects: paths, bodies, answers, tables, identities and rights.
//! - `read` answers requests that change nothing, `write` those that change objects.
//! - `serve` accepts connections and passes each request to the function that answers it.
//!
//! The differences from Kubernetes are listed in the crate's documentation.

mod admit;
mod read;
mod serve;
mod wire;
mod write;

pub(crate) use admit::admission::admit;
pub use serve::kubeconfig::Kubeconfig;
pub(crate) use serve::kubeconfig::is_own_kubeconfig;
pub use serve::server::Server;
pub use wire::api::Api;
pub use wire::identity::Tokens;
