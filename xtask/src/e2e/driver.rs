//! Calls of the driver, `locust-matrix`, which is the only program that talks to the cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use records::Scenario;

use super::args::Args;
use super::images::ImageNames;
use crate::failure::{BUG, CLUSTER, Failure, OBJECTIVE, PREFLIGHT, SCENARIO, USAGE};
use crate::run::Session;
use crate::run::command::{Cmd, Finished, ShowOutput};
use crate::run::stop::StopPolicy;

/// How long the job may take to end after a Ctrl-C: it stops its load, whose last requests may take `timeouts.stop`, and
/// puts the replicas back. A second Ctrl-C ends the wait.
const STOPS_WITHIN: Duration = Duration::from_mins(4);

#[derive(Debug)]
pub(super) struct Driver {
    program: PathBuf,
    target: Target,
    matrix: Vec<String>,
    config: Option<String>,
    ui_port: Option<u16>,
}

/// A cluster, as the driver's flags describe it.
#[derive(Debug)]
pub(super) struct Target {
    /// Flags for every call, which select the cluster.
    pub(super) flags: Vec<String>,
    /// The overlay of the manifests that is deployed to it.
    pub(super) overlay: &'static str,
    /// The kind of cluster that records and reports name.
    pub(super) kind: &'static str,
    /// Load a service that locust-matrix did not deploy.
    pub(super) load_foreign_service: bool,
}

/// The scenarios that the driver will run.
#[derive(Debug)]
pub(super) struct Plan(pub(super) Vec<Scenario>);

/// A job that has ended.
#[derive(Debug)]
pub(super) struct Job {
    /// `None` if it was not submitted.
    pub(super) run_id: Option<String>,
    pub(super) ended: Result<(), Failure>,
}

impl Plan {
    /// Whether the scenarios are not known beforehand.
    pub(super) fn is_search(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

impl Driver {
    pub(super) fn new(program: PathBuf, target: Target, args: &Args) -> Self {
        Self { program, target, matrix: args.matrix(), config: args.config.clone(), ui_port: args.ui_port }
    }

    /// The scenarios that will run. They are shown to the user, and later compared with the results.
    pub(super) async fn plan(&self, session: &Session) -> Result<Plan, Failure> {
        let plan = |extra: &[&str], show| {
            Cmd::new(self.program.display().to_string())
                .arg("plan")
                .args(extra.iter().copied())
                .args(self.matrix.iter().cloned())
                .show(show)
                .deadline(Duration::from_secs(30))
        };
        require_success(session, plan(&[], ShowOutput::All).run(session).await?)?;
        let done = require_success(session, plan(&["--json"], ShowOutput::Stderr).run(session).await?)?;
        let scenarios = serde_json::from_str(&done.stdout).map_err(|error| {
            Failure::bug(format!("`locust-matrix plan --json`: not a list of scenarios: {error}"))
        })?;
        Ok(Plan(scenarios))
    }

    pub(super) async fn deploy(&self, session: &Session, images: &ImageNames) -> Result<(), Failure> {
        self.deploy_overlay(session, self.target.overlay, images).await
    }

    pub(super) async fn deploy_overlay(
        &self,
        session: &Session,
        overlay: &str,
        images: &ImageNames,
    ) -> Result<(), Failure> {
        let mut deploy = self.in_cluster().args(["deploy", "--overlay", overlay]);
        if let Some(config) = &self.config {
            deploy = deploy.args(["--config", config]);
        }
        for (name, image) in [
            ("locust-driver", Some(&images.driver)),
            ("fake-inference", images.stub.as_ref()),
            ("locustio/locust", images.locust.as_ref()),
        ] {
            if let Some(image) = image {
                deploy = deploy.arg("--image").arg(format!("{name}={image}"));
            }
        }
        require_success(session, deploy.show(ShowOutput::Stderr).run(session).await?).map(drop)
    }

    pub(super) async fn job(&self, session: &Session, images: &ImageNames) -> Result<Job, Failure> {
        let done = self
            .in_cluster()
            .arg("job")
            .args(self.matrix.iter().cloned())
            .args(["--driver-image", &images.driver, "--cluster-kind", self.target.kind])
            .args(self.target.load_foreign_service.then_some("--yes"))
            .args(self.ui_port.map(|port| format!("--ui-port={port}")))
            .show(ShowOutput::Stderr)
            .with_view()
            .stop_policy(StopPolicy::AllowTime(STOPS_WITHIN))
            .run(session)
            .await?;
        Ok(Job { run_id: run_id(&done.stdout), ended: require_success(session, done).map(drop) })
    }

    /// The command that removes what was deployed; the cluster stays.
    pub(super) fn cleanup(&self) -> Cmd {
        self.in_cluster().arg("cleanup")
    }

    /// The objects of locust-matrix in the cluster, one per line.
    pub(super) async fn list_deployed(&self, session: &Session) -> Result<String, Failure> {
        let list = self.cleanup().arg("--dry-run").show(ShowOutput::Nothing);
        let done = require_success(session, list.deadline(Duration::from_mins(1)).run(session).await?)?;
        Ok(done.stdout)
    }

    /// Removes what was deployed; with `fetched`, the records in the cluster as well.
    pub(super) async fn remove(&self, session: &Session, fetched: bool) -> Result<(), Failure> {
        let cleanup = self.cleanup().args(fetched.then_some("--results"));
        let cleanup = cleanup.show(ShowOutput::Stderr).stop_policy(StopPolicy::Never);
        require_success(session, cleanup.deadline(Duration::from_mins(3)).run(session).await?).map(drop)
    }

    /// Fetches the results and returns their folder. The first Ctrl-C does not stop it, the second does.
    pub(super) async fn fetch(
        &self,
        session: &Session,
        results: &Path,
        run_id: &str,
    ) -> Result<PathBuf, Failure> {
        let done = self
            .in_cluster()
            .arg("fetch")
            .arg("--results")
            .path(results)
            .args(["--run", run_id])
            .show(ShowOutput::Stderr)
            .stop_policy(StopPolicy::OnSecondSignal)
            .deadline(Duration::from_mins(2))
            .run(session)
            .await?;
        // These codes are about what was measured, and the Job has reported them already.
        let is_fetched = [SCENARIO, OBJECTIVE].contains(&done.code());
        let done = if is_fetched { done } else { require_success(session, done)? };
        let folder = done.stdout.lines().last().map(PathBuf::from);
        folder.ok_or_else(|| Failure::bug("`locust-matrix fetch`: prints no folder"))
    }

    fn in_cluster(&self) -> Cmd {
        Cmd::new(self.program.display().to_string()).args(self.target.flags.iter().cloned())
    }
}

/// Turns a failed call into a failure with the driver's own exit code, and a next step for each code.
fn require_success(session: &Session, done: Finished) -> Result<Finished, Failure> {
    let code = done.code();
    if code == crate::failure::INTERRUPTED {
        return Err(Failure::interrupted());
    }
    let next = match code {
        BUG => "please report this with the log of commands",
        USAGE => "correct the flag or the file that the driver names above",
        PREFLIGHT => "provide what the driver names above",
        SCENARIO => "read the column Status in auto_summary.csv, and auto_summary.md for the reasons",
        OBJECTIVE => "read above, or in summary.md, which objective was missed or is unknown",
        CLUSTER => "read the pods, events and logs that were saved, or run it again with --keep",
        _ => "read the driver's message above",
    };
    done.require_success(session, code, next)
}

/// The id in the first line, which is `run id: <uid>`.
fn run_id(stdout: &str) -> Option<String> {
    let id = stdout.lines().next()?.strip_prefix("run id:")?.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_id_is_in_the_first_line() {
        assert_eq!(run_id("run id: 12-ab\nmore\n").as_deref(), Some("12-ab"));
        assert_eq!(run_id("run id: \n"), None);
        assert_eq!(run_id("error\nrun id: 12\n"), None);
        assert_eq!(run_id(""), None);
    }
}
