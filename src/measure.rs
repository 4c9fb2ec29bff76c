//! Figures from cumulative counts: histograms, windows between two snapshots, percentiles.

mod histogram;
mod window;

pub use histogram::Histogram;
pub use window::{Endpoint, Figures, Window};
