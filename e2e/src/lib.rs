//! What the tests against live clusters and containers share.
//!
//! `cargo xtask test` runs them with what they need in the environment; a test that is started
//! without it says so and fails, because a test that silently does nothing looks like one that passes.

pub mod conformance;
pub mod leftovers;
pub mod results;
pub mod tool;

/// A variable that `cargo xtask test` sets.
///
/// # Panics
/// Where it is not set.
#[expect(clippy::panic, reason = "a test that cannot go on has failed")]
pub fn required(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: start these tests with `cargo xtask test`"))
}
