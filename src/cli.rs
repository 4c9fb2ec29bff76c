//! The command line.

use clap::{Parser, Subcommand};

use crate::cluster::ClusterFlags;
use crate::commands::{cleanup, completions, deploy, fetch, job, plan, report, run};
use crate::exit::ExitCode;

/// How many replicas of this inference service carry this many users?
///
/// Sweeps replicas × Locust workers × users in a Kubernetes cluster, one scenario at a time, and
/// writes records, a CSV and a Markdown report.
#[derive(Debug, Parser)]
#[command(name = "locust-matrix", version, after_help = ExitCode::HELP, after_long_help = after())]
pub struct Cli {
    #[command(flatten)]
    /// Which cluster.
    pub cluster: ClusterFlags,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Tell progress as JSON lines on stderr, for programs
    #[arg(long, global = true, help_heading = None)]
    pub json_events: bool,
}

const EXAMPLES: &str = "\
Examples:
  locust-matrix plan --preset quick
        what the quick matrix measures, and how long it takes
  locust-matrix deploy --overlay kind --image locust-driver=locust-driver:1.0
        Locust and the stub service into the current context's namespace
  locust-matrix job --replicas 1,2,4 --users 200,400 --duration 1m
        submit the matrix as a Job and follow it
  locust-matrix job --until stable --repeats 3 --drift
        each point three times, each time no longer than it takes to know it
  locust-matrix plan --users 20,40 --rates 30,60
        users who wait for their answers, and requests that come whether or not
  locust-matrix fetch
        bring its records and reports home to results/";

const DEBUGGING: &str = "RUST_LOG=debug shows what this program does in detail.";

/// Below the long help: examples, then the exit codes as the short help has them.
fn after() -> String {
    format!("{EXAMPLES}\n\n{}\n\n{DEBUGGING}", ExitCode::HELP)
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the scenarios and the expected time, and with --dry-run the changes; nothing is touched
    Plan(plan::Arguments),
    /// Apply the manifests and wait until everything is ready
    Deploy(deploy::Arguments),
    /// Submit the matrix as a Job and follow it to its end
    Job(job::Arguments),
    /// Drive the matrix from here; this is what the Job's pod does
    Run(run::Arguments),
    /// Bring home the records of a run and make its reports
    Fetch(fetch::Arguments),
    /// Make the reports anew from a run's records
    Report(report::Arguments),
    /// Take back what was deployed; the results stay unless --results
    Cleanup(cleanup::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}
