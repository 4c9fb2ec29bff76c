//! Figures from cumulative counts: histograms, windows between two snapshots, percentiles; and how far
//! they can be trusted, as functions of what was recorded.

mod arrivals;
mod balance;
mod binomial;
mod course;
mod estimate;
mod figures;
mod generator;
mod little;
mod membership;
mod omission;
mod steady;

pub use arrivals::not_offered;
pub use balance::{MOST_SHARE, busiest_over_mean};
pub use course::{Course, Next};
pub use estimate::{Estimate, percentile_name, samples_needed};
pub use figures::Figures;
pub use generator::{MoreWorkers, Strain, Throughput};
pub use little::{Little, little};
pub use membership::{Member, changes};
pub use omission::{corrected, typical_cycle_ms};
pub use steady::{Part, WINDOWS, steady_from};

/// What is measured from.
pub use crate::load::{Endpoint, Health, HealthWindow, Histogram, OpenCounts, Window};
