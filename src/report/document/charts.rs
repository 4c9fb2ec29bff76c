//! The charts of the whole run.

mod capacity;
mod curves;
mod matrix;

pub(super) use capacity::capacity;
pub(super) use curves::curves;
pub(super) use matrix::matrix;
