//! The API server from outside: through kube, through raw HTTP, and through `kubectl` where it is there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only the tests themselves"
)]

mod access;
mod apply;
mod half_open;
mod kubectl;
mod malformed;
mod objects;
mod pods;
mod random;
mod refusals;
mod support;
mod watches;
