//! Code that the tests with live clusters and containers share.
//!
//! `cargo xtask test` sets environment variables for them. A test that finds none fails and says so, because
//! a test that silently does nothing looks like one that passes.

pub mod conformance;
pub mod embedded;
pub mod kind;
pub mod leftovers;
pub mod namespace;
pub mod results;
pub mod samples;
pub mod tool;

/// Returns a variable that `cargo xtask test` sets.
///
/// # Panics
/// If it is not set.
#[expect(clippy::panic, reason = "a test that cannot continue has failed")]
pub fn required(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: start these tests with `cargo xtask test`"))
}
