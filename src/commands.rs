//! The subcommands, one file each: it takes the arguments and returns the exit code.

pub mod cleanup;
pub mod completions;
pub mod deploy;
mod edited;
pub mod fetch;
pub mod job;
pub mod man;
pub mod plan;
pub mod report;
pub mod run;
mod signals;
mod web_ui;

pub use signals::or_interrupted;
