//! What can be asked for.

use clap::{Parser, Subcommand};

use crate::{bench, ci, cleanup, doctor, e2e, suite, tidy};

/// The tasks of this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Bring up a cluster, run the load-test matrix in it, fetch the results, clean up
    E2e(Box<e2e::args::Args>),
    /// Run every test that this machine can run, and name those that it cannot
    Test(suite::Args),
    /// Everything that has to pass before a change is taken, cheapest first
    Ci(ci::Args),
    /// Check what the documents promise of the code
    Tidy(tidy::Args),
    /// Measure what the harness itself costs
    Bench(bench::Args),
    /// Say what is installed here, what is missing, and what to do about it
    Doctor(doctor::Args),
    /// Remove what any earlier run has left on this machine, whatever ended it
    Cleanup(cleanup::Args),
}

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  all well
    1  a bug in this tool, or a check or a test that failed
    2  usage or configuration
    3  something is missing: a tool, a port, an image, a permission
    4  the cluster or Locust failed
    5  a scenario failed, or has no record in the results
    6  a threshold was missed
  130  interrupted; what was measured is kept

Progress is written to stderr; stdout carries the result alone.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
