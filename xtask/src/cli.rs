//! The command line.

use clap::{Parser, Subcommand};

use crate::{bench, ci, cleanup, dist, doctor, e2e, guides, nix, pack, pins, suite, tidy};

/// The tasks of this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Create a cluster, run the load-test matrix in it, fetch the results, clean up
    E2e(Box<e2e::args::Args>),
    /// Run every test that this machine can run, and name the tests that it cannot run
    Test(suite::Args),
    /// Run all checks that a change has to pass, the fastest first
    Ci(ci::Args),
    /// Check the rules for the source code, and README.md against the command lines
    Tidy(tidy::Args),
    /// Measure how much time the harness itself takes, and how far its figures can be trusted
    Bench(bench::Args),
    /// Show what is installed here, what is missing, and how to install it
    Doctor(doctor::Args),
    /// Remove everything that earlier runs have left on this machine, however they ended
    Cleanup(cleanup::Args),
    /// Check the flake on a stand-in for nixpkgs, without a network
    Nix(nix::Args),
    /// Check that all files name the same versions, or say how to move one
    Versions(pins::Args),
    /// Run the commands of the guides
    Guides(guides::Args),
    /// Make the archives of a release
    Dist(dist::Args),
    /// Pack a program as an image, as e2e does
    Image(pack::Args),
}

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  all well
    1  a bug in this tool, or a check or a test that failed
    2  usage or configuration
    3  something is missing: a tool, a port, an image, a permission
    4  the cluster or Locust failed
    5  a scenario failed, or has no record in the results
    6  an objective was missed or is unknown
  130  interrupted; all measurements so far are kept

Progress is written to stderr; stdout has only the result.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn clap_finds_no_mistake_in_the_command_line() {
        Cli::command().debug_assert();
    }
}
