//! `cargo xtask cleanup`: removes everything that earlier runs have left on this machine, however they ended.

mod docker;
mod folder;
mod ownership;

use std::io::Write as _;
use std::sync::Arc;

use crate::engine::Engine;
use crate::failure::{Failure, USAGE};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::StopRequests;
use crate::toolchain;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Also remove images of the driver and the stub, except those of the last build
    #[arg(long)]
    images: bool,
    /// Also remove what `locust-matrix` has deployed in this context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Namespace in that context [default: the context's own]
    #[arg(long, value_name = "NAME", requires = "context")]
    namespace: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  Show what would be removed:
      cargo xtask cleanup --dry-run

  Remove clusters (kept ones, too), networks, containers, processes and files of earlier runs:
      cargo xtask cleanup

  Remove old images as well:
      cargo xtask cleanup --images

  Remove what was deployed to a cluster of your own:
      cargo xtask cleanup --context staging --namespace load-test

Clusters are recognised by a folder that their node mounts, processes by a variable in their
environment, and containers of tests by the mounted scripts of this workspace. Runs that are
still going on, and things that only look like ours, are named and left alone.

Exit codes: 0 nothing is left, 2 usage, 3 Docker does not answer or a permission is missing,
4 something could not be removed, 130 interrupted.";

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let log = folders.target.join("xtask-cleanup").join("commands.log");
    let session = Session::open(stop, &log, false)?;
    let engine = session.unless_stopped(Engine::connect(&session)).await;
    let mut cleaner =
        Cleaner { session, folders, engine, args, count: 0, left_something: false, failures: Vec::new() };
    cleaner.folders_of_clusters().await?;
    cleaner.docker().await?;
    cleaner.half_written_files()?;
    cleaner.context().await?;
    cleaner.conclude()
}

struct Cleaner {
    session: Session,
    folders: Folders,
    engine: Result<Engine, Failure>,
    args: Args,
    /// Number of things that were removed, or would be with `--dry-run`.
    count: usize,
    /// Whether something was found that is not ours, or that is still in use.
    left_something: bool,
    /// What could not be removed. The rest is removed nevertheless.
    failures: Vec<Failure>,
}

impl Cleaner {
    /// Prints that something was removed, or would be.
    fn removed(&mut self, what: &str) {
        self.count += 1;
        let verb = if self.args.dry_run { "would remove" } else { "removed" };
        print(&format!("{verb}: {what}"));
    }

    /// Prints that something is not removed, and why.
    fn left_alone(&mut self, what: &str, why: &str) {
        self.left_something = true;
        print(&format!("left alone: {what}: {why}"));
    }

    /// Remembers a failure, so that the cleanup can go on. Only an interruption is returned.
    fn record_failure<T>(&mut self, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_interruption() => Err(failure),
            Err(failure) => {
                self.failures.push(failure);
                Ok(None)
            }
        }
    }

    /// Lets the driver remove what it has deployed to the cluster of `--context`.
    async fn context(&mut self) -> Result<(), Failure> {
        let Some(context) = self.args.context.clone() else {
            return Ok(());
        };
        let namespace = self.args.namespace.clone();
        let place = namespace.as_ref().map_or_else(
            || format!("context {context}, its own namespace"),
            |namespace| format!("context {context}, namespace {namespace}"),
        );
        let build = toolchain::build(&self.session, &self.folders);
        let program = self.session.step("build the driver", build).await?.driver;
        let mut driver = Cmd::new(program.display().to_string()).args(["--context", &context]);
        if let Some(namespace) = &namespace {
            driver = driver.args(["--namespace", namespace]);
        }
        driver = driver.arg("cleanup").args(self.args.dry_run.then_some("--dry-run"));
        let done = driver.show(ShowOutput::All).run(&self.session).await?;
        let code = done.code();
        let next = match code {
            USAGE => "use a context that `kubectl config get-contexts` lists",
            _ => "read the driver's message above",
        };
        let done = done.require_success(&self.session, code, next);
        if self.record_failure(done)?.is_some() {
            self.removed(&format!("what locust-matrix has deployed in {place}"));
        }
        Ok(())
    }

    fn conclude(mut self) -> Result<(), Failure> {
        if self.failures.is_empty() {
            let nothing = if self.left_something { "nothing else is left" } else { "nothing is left" }
                .to_owned()
                + " of earlier runs";
            print(&match (self.args.dry_run, self.count) {
                (_, 0) => nothing,
                (true, count) => format!("{count} to remove; nothing was removed"),
                (false, count) => format!("{count} removed; {nothing}"),
            });
            return Ok(());
        }
        let last = self.failures.pop();
        for failure in &self.failures {
            failure.report();
        }
        last.map_or(Ok(()), Err)
    }
}

fn print(line: &str) {
    // A closed stdout must not stop the cleanup.
    let _ = writeln!(std::io::stdout(), "{line}");
}
