//! Locust in containers, without a cluster: the adapter, the module beside the locustfile, and their
//! arithmetic, on both versions of Locust's web API.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod closed_loop;
mod health;
mod open;
mod precision;
mod stock;
mod support;
mod totals;

/// A test of each version of Locust that there is a difference for.
macro_rules! on_both_versions {
    ($($test:ident),+ $(,)?) => {
        mod on_2_46_6 {
            $(#[tokio::test] async fn $test() { super::$test("2.46.6").await; })+
        }
        mod on_2_47_0 {
            $(#[tokio::test] async fn $test() { super::$test("2.47.0").await; })+
        }
    };
}
pub(crate) use on_both_versions;
