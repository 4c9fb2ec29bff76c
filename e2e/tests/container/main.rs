//! Locust in containers, without a cluster. Tests the driver's adapter and the module beside the locustfile,
//! with both versions of Locust's web API.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod closed_loop;
mod health;
mod lost_worker;
mod open;
mod precision;
mod script;
mod stock;
mod support;
mod totals;

/// Makes one test of each function for each version of Locust's web API.
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
