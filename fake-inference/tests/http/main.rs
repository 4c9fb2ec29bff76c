//! The server from outside: a real socket, and HTTP as bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only the tests themselves"
)]

mod answers;
mod bad_requests;
mod books;
mod process;
mod profile;
mod support;
mod timing;
