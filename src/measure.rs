//! Figures from counts, and what they can and cannot show: percentiles with their uncertainty, steadiness,
//! Little's law, limits of the load generator, balance of the replicas.
//!
//! Everything here is a function of the counts that a record holds.

mod arrivals;
mod balance;
mod binomial;
mod confidence;
mod estimate;
mod failures;
mod figures;
mod little;
mod membership;
mod omission;
mod order_statistics;
mod overload;
mod steady;
mod stopping;
mod student;
mod wave;
mod window;
mod worker_limits;

pub use arrivals::not_offered;
pub use balance::{Busiest, ComparedBy, MOST_IMBALANCE, busiest, busiest_over_mean};
pub use confidence::{
    Bounds, NoBounds, Sections, bounds_of_goodput, bounds_of_run, percentile_over_repeats, rate_over_repeats,
    repeats_for,
};
pub use estimate::{Estimate, percentile_name, samples_needed};
pub use failures::{quantile_of_endpoint, tells_failures_apart};
pub use figures::Figures;
pub use little::{Little, accounted, little, mean_wait_s};
pub use membership::changes;
pub use omission::{corrected, typical_cycle_us};
pub use overload::KeepsUp;
pub use steady::steady_from;
pub use stopping::{Next, Unsteady, next, unsteady, unsteady_because};
pub use window::{interval_s, window_from};
pub use worker_limits::{CPU_LIMIT, MoreWorkers, Saturation, Throughput};
