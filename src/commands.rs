//! One file per subcommand: arguments in, exit code out.

pub mod cleanup;
pub mod completions;
pub mod deploy;
pub mod fetch;
pub mod job;
mod pages;
pub mod plan;
pub mod report;
pub mod run;
mod signals;
