//! Tests of the API server from outside: with the library kube, with plain HTTP, and with `kubectl` if it is
//! installed.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy allows this only in tests themselves, not in their helpers"
)]

mod access;
mod apply;
mod differences;
mod fuzz;
mod half_open;
mod kubectl;
mod malformed;
mod objects;
mod pods;
mod random;
mod refusals;
mod support;
mod watches;
