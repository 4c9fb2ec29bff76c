//! The conductor: takes each scenario from scaling to its record.

mod counts;
mod drive;
mod machine;
mod matrix;
mod routable;
mod sampler;

pub use machine::{Due, End, Happening, Operation, Phase};
pub use matrix::{Matrix, Run, Setup, quiet};

#[cfg(test)]
mod tests;
