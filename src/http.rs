//! The HTTP client for Locust and the service under test.

use std::time::Duration;

use reqwest::{Certificate, Client};

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
    Client::builder()
        .user_agent(concat!("locust-matrix/", env!("CARGO_PKG_VERSION")))
        .tls_certs_only(roots)
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
        .map_err(|error| Error::new(ExitCode::Bug, format!("HTTP client: {}", seen(&error))))
}
