//! The conductor: takes each scenario from scaling to its record.

mod callers;
mod counts;
mod drive;
mod machine;
mod matrix;
mod metrics_text;
mod recover;
mod routable;
mod sampler;
mod seen;
mod setup;
mod under_way;

pub use machine::{Action, End, Event, Phase, ScenarioMachine};
pub use matrix::Matrix;
pub use recover::make_usable;
pub use seen::{Seen, limits};
pub use setup::{Run, Setup};

#[cfg(test)]
mod tests;
