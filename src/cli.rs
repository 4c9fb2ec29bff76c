//! The command line.

use clap::{Parser, Subcommand};

use crate::cluster::ClusterFlags;
use crate::commands::{cleanup, completions, deploy, fetch, job, man, plan, report, run};
use crate::events::JSON_EVENTS_VARIABLE;
use crate::exit::ExitCode;

/// How many replicas does an inference service need for a given number of users?
///
/// Measures every combination of replicas, Locust workers and users in a Kubernetes cluster, one scenario at a
/// time, and writes records, a CSV file, and a report as a web page and as Markdown.
#[derive(Debug, Parser)]
#[command(name = "locust-matrix", version, after_help = ExitCode::HELP, after_long_help = help_footer())]
pub struct Cli {
    #[command(flatten)]
    /// The cluster.
    pub cluster: ClusterFlags,
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// Print progress for programs: one JSON object per line on stderr
    ///
    /// docs/events.schema.json describes the objects. If the command fails, it still ends with a line "error: …".
    /// The output on stdout is the same with and without this flag.
    #[arg(long, global = true, help_heading = None, env = JSON_EVENTS_VARIABLE, hide_env_values = true)]
    pub json_events: bool,
    /// Print plain lines also on a terminal, instead of the live view of `run` and `job`
    #[arg(long, global = true, help_heading = None)]
    pub plain: bool,
}

const EXAMPLES: &str = "\
Examples:
  locust-matrix plan --preset quick
        show the scenarios of the quick matrix and the time they take
  locust-matrix deploy --overlay kind --image locust-driver=locust-driver:1.0
        deploy Locust and the stub service to the current context's namespace
  locust-matrix job --replicas 1,2,4 --users 200,400 --duration 1m
        submit the matrix as a Job and follow it
  locust-matrix job --until stable --repeats 3 --drift
        measure every combination three times, each until its figures are stable
  locust-matrix plan --users 20,40 --rates 30,60
        closed model (users wait for each response) and open model (fixed request rates)
  locust-matrix fetch
        download the records of the run to results/ and write its reports";

const DEBUGGING: &str = "RUST_LOG=debug prints debugging messages on stderr.";

/// The end of the long help: examples, and the exit codes, which the short help has, too.
fn help_footer() -> String {
    format!("{EXAMPLES}\n\n{}\n\n{DEBUGGING}", ExitCode::HELP)
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the scenarios and the expected time; with --dry-run also what `deploy` would change
    Plan(plan::Arguments),
    /// Apply the manifests and wait until everything is ready
    Deploy(deploy::Arguments),
    /// Run the matrix as a Job in the cluster and follow it until it ends
    Job(job::Arguments),
    /// Run the matrix from this machine; the Job's pod uses the same command
    Run(run::Arguments),
    /// Download the records of a run and write its reports
    Fetch(fetch::Arguments),
    /// Write the reports again from a run's records
    Report(report::Arguments),
    /// Delete everything that was deployed; the results are kept unless --results is given
    Cleanup(cleanup::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Write the man pages to a folder
    Man(man::Arguments),
}
