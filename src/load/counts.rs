//! What a load generator counts: cumulative, so that figures are differences and no reset can race with
//! them.

mod health;
mod histogram;
mod open;
mod window;

pub use health::{Health, HealthWindow};
pub use histogram::Histogram;
pub use open::OpenCounts;
pub use window::{Endpoint, Window};
