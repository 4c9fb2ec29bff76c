//! The HTTP clients for the load generator and for the service under test.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder};

use crate::exit::{Error, ExitCode, Result};
use crate::wait::with_causes;

/// The product name in the header `User-Agent` of both clients. The stub counts requests by this name.
pub const PRODUCT: &str = "locust-matrix";

/// A client that opens a new connection for every request, because a Service balances connections, not requests,
/// and because Locust closes idle connections. It follows no redirects and uses no proxy.
///
/// # Errors
/// Exit code 1: the client cannot be built.
pub fn client(timeout: Duration) -> Result<Client> {
    // The driver's image contains no root certificates; plain HTTP needs none.
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().filter_map(|root| Certificate::from_der(root).ok());
    build(timeout, Client::builder().tls_certs_only(roots))
}

/// A client that checks whether a service answers. Like a kubelet's probe it does not verify certificates: it
/// sends nothing confidential, and the load itself verifies them.
///
/// # Errors
/// Exit code 1: the client cannot be built.
pub fn prober(timeout: Duration) -> Result<Client> {
    build(timeout, Client::builder().tls_certs_only([]).tls_danger_accept_invalid_certs(true))
}

fn build(timeout: Duration, builder: ClientBuilder) -> Result<Client> {
    builder
        .user_agent(format!("{PRODUCT}/{}", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
        .map_err(|error| Error::new(ExitCode::Bug, format!("HTTP client: {}", with_causes(&error))))
}
