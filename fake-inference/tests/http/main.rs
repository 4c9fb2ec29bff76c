//! Tests of the server from outside: a real socket, and HTTP as bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: clippy exempts only the test functions themselves"
)]

mod answers;
mod bad_requests;
mod counts;
mod process;
mod profile;
mod support;
mod timing;
