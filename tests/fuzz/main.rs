//! Random and damaged inputs for everything that the driver reads: it never panics or hangs, its errors have a
//! message, and what is valid survives being written and read again.
//!
//! Not reached, because they are private and have no command: the metrics of replicas (`scenario`), and
//! kustomizations other than those in the program (`deploy`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod damage;
mod images;
mod kubeconfigs;
mod locust;
mod records;
mod runner;
mod settings;

use locust_matrix::exit::Error;

/// Checks that an error tells its reader something.
#[track_caller]
fn expect_message(error: &Error, input: &str) {
    let message = error.to_string();
    assert!(message.len() > 10 && !error.message.trim().is_empty(), "'{message}' for {input:?}");
    assert!(error.next.as_ref().is_some_and(|next| !next.trim().is_empty()), "no next step: {message}");
}
