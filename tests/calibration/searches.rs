//! Searches for capacities on simulated services. The test `tests/capacity.rs` makes a few of them, and
//! `cargo xtask bench capacity` many.

#[expect(dead_code, reason = "the calibration uses the other cells")]
mod cell;
mod measurement;
mod search;
mod system;

pub(crate) use search::{SERVICES, Searched, search_again, sentences_without_a_queue};
