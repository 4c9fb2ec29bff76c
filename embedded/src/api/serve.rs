//! Connections, and the way from a request to the function that answers it.

mod certificate;
pub(crate) mod kubeconfig;
mod router;
pub(crate) mod server;
