//! Calibration: simulated load tests with a known truth, judged by the very functions that judge real ones.
//!
//! A [`Cell`] is one simulated load test. [`calibrate`] measures it again and again, and counts how often an
//! interval was printed, how often it held the truth, and which verdicts were given. The test
//! `tests/calibration.rs` checks a few cells, and `cargo xtask bench calibration` a large grid of them.

pub(crate) mod cell;
mod measurement;
mod system;
mod tally;
mod truth;

pub(crate) use cell::{Cell, Change, SERVICES};
pub(crate) use tally::{Calibration, Coverage, calibrate};
pub(crate) use truth::FIGURES;
