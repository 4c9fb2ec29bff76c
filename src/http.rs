//! The HTTP clients for Locust and for the service under test.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder};

use crate::exit::{Error, ExitCode, Result};
use crate::wait::seen;

/// A client that opens a fresh connection for every request: a service spreads connections over its
/// replicas, and Locust's master closes idle ones. Redirects and proxies are not followed.
///
/// # Errors
/// Exit code 1: no client can be made.
pub fn client(timeout: Duration) -> Result<Client> {
    // The driver's image holds nothing but the driver: no certificates there is fine for plain HTTP.
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().filter_map(|root| Certificate::from_der(root).ok());
    build(timeout, Client::builder().tls_certs_only(roots))
}

/// A client that asks a service whether it is there. Like a kubelet's probe it does not check
/// certificates: it sends nothing worth protecting, and the load itself checks them.
///
/// # Errors
/// Exit code 1: no client can be made.
pub fn prober(timeout: Duration) -> Result<Client> {
    build(timeout, Client::builder().tls_certs_only([]).tls_danger_accept_invalid_certs(true))
}

fn build(timeout: Duration, builder: ClientBuilder) -> Result<Client> {
    builder
        .user_agent(concat!("locust-matrix/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
        .map_err(|error| Error::new(ExitCode::Bug, format!("HTTP client: {}", seen(&error))))
}
