//! Figures from cumulative counts: histograms, windows between two snapshots, percentiles.

mod health;
mod histogram;
mod open;
mod window;

pub use health::{Health, HealthWindow};
pub use histogram::Histogram;
pub use open::OpenCounts;
pub use window::{Endpoint, Figures, Window};
