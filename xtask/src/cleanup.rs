//! `cargo xtask cleanup`: nothing of ours is left on this machine, whatever ended the runs.

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
    /// Say what would be removed, and touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Also remove images of the driver and the stub that are not those of the last build
    #[arg(long)]
    images: bool,
    /// Also remove what `locust-matrix` has applied in this context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Where in that context [default: the context's own namespace]
    #[arg(long, value_name = "NAME", requires = "context")]
    namespace: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  What would go:
      cargo xtask cleanup --dry-run

  Clusters (kept ones too), networks, containers, processes and files of earlier runs:
      cargo xtask cleanup

  Old images as well:
      cargo xtask cleanup --images

  What was deployed to a cluster of your own:
      cargo xtask cleanup --context staging --namespace load-test

A cluster is ours when its node mounts our mark, a process when its environment says which
run started it, a container of a test when it mounts this workspace's scripts. A run that
still goes on is left alone, and so is what only looks like ours; both are named.

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
    /// What was removed, or would be.
    count: usize,
    /// Something was seen that is not ours to remove, or not now.
    left_something: bool,
    /// What could not be; the rest is removed all the same.
    failures: Vec<Failure>,
}

impl Cleaner {
    /// A line about something that goes.
    fn removed(&mut self, what: &str) {
        self.count += 1;
        let verb = if self.args.dry_run { "would remove" } else { "removed" };
        print(&format!("{verb}: {what}"));
    }

    /// A line about something that stays, and why.
    fn left_alone(&mut self, what: &str, why: &str) {
        self.left_something = true;
        print(&format!("left alone: {what}: {why}"));
    }

    /// Note a failure and go on, unless it is the user's wish to stop.
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

    /// What was deployed to somebody's cluster: the driver knows what it has applied.
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
            USAGE => "name a context that `kubectl config get-contexts` lists",
            _ => "read what the driver says above",
        };
        let done = done.require_success(&self.session, code, next);
        if self.record_failure(done)?.is_some() {
            self.removed(&format!("what locust-matrix has applied in {place}"));
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
                (true, count) => format!("{count} to remove; nothing was touched"),
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
    // Nobody may be reading any more; that is no reason to leave things behind.
    let _ = writeln!(std::io::stdout(), "{line}");
}
