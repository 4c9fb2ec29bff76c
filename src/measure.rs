//! Figures from cumulative counts: histograms, windows between two snapshots, percentiles; and how far
//! they can be trusted, as functions of what was recorded.

mod arrivals;
mod balance;
mod binomial;
mod course;
mod estimate;
mod generator;
mod health;
mod histogram;
mod little;
mod membership;
mod omission;
mod open;
mod steady;
mod window;

pub use arrivals::not_offered;
pub use balance::{MOST_SHARE, busiest_over_mean};
pub use course::{Course, Next};
pub use estimate::{Estimate, percentile_name, samples_needed};
pub use generator::{MoreWorkers, Strain, gain};
pub use health::{Health, HealthWindow};
pub use histogram::Histogram;
pub use little::{Little, little};
pub use membership::{Member, changes};
pub use omission::{corrected, typical_cycle_ms};
pub use open::OpenCounts;
pub use steady::{Part, WINDOWS, steady_from};
pub use window::{Endpoint, Figures, Window};
