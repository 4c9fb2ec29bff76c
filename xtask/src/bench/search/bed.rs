//! The cluster in which capacities are searched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::row::{P95_MS, Simulated};
use crate::e2e::choice;
use crate::e2e::cluster;
use crate::e2e::state::State;
use crate::failure::{BUG, CLUSTER, Failure, OBJECTIVE};
use crate::folders::{self, Folders};
use crate::orphan;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::{StopPolicy, StopRequests};
use crate::toolchain;

/// The cluster that the benchmark creates, and deletes at the end.
const CLUSTER_NAME: &str = "locust-matrix-bench-search";

/// Mean service time of the stub, and the requests that a replica serves at the same time.
const SERVICE_MS: &str = "50";
const SLOTS: &str = "4";

/// A cluster with the stub, and the driver outside of it.
pub(super) struct Bed {
    session: Session,
    folders: Folders,
    kind: &'static str,
    folder: PathBuf,
    driver: PathBuf,
}

impl Bed {
    /// Compiles everything.
    pub(super) async fn prepare(stop: Arc<StopRequests>, kind: &'static str) -> Result<Self, Failure> {
        let folders = Folders::find()?;
        let folder = folders.target.join("xtask-bench").join("search");
        let _ = std::fs::remove_dir_all(&folder);
        folders::create(&folder)?;
        let session = Session::open(stop, &folder.join("commands.log"), false)?;
        let build = async {
            match kind {
                "kind" => toolchain::build(&session, &folders).await,
                _ => toolchain::build_local(&session, &folders).await,
            }
        };
        let driver = session.step("build the driver and the stub", build).await?.driver;
        Ok(Self { session, folders, kind, folder, driver })
    }

    /// The folder with a folder for each run.
    pub(super) fn results(&self) -> &Path {
        &self.folder
    }

    /// Long simulations of the closed queue; each line has a number of replicas and the users that they carry, or the
    /// users on each replica and P95 in ms.
    pub(super) async fn closed_queue(&self, service: &str, asked: &[String]) -> Result<Simulated, Failure> {
        let done = Cmd::new("cargo")
            .args(["run", "--quiet", "--locked", "-p", "fake-inference", "--example", "closed_queue", "--"])
            .args([service, SERVICE_MS, SLOTS, &P95_MS.to_string()])
            .args(asked.iter().cloned())
            .folder(&self.folders.root)
            .show(ShowOutput::Stderr)
            .run(&self.session)
            .await?;
        Simulated::parse(&done.require_success(&self.session, BUG, "read the message above")?.stdout)
    }

    /// Creates the cluster and deploys everything, as a user would.
    pub(super) async fn start(&self) -> Result<(), Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::bug(format!("this program: {error}")))?;
        let e2e = Cmd::new(own.display().to_string())
            .args(["e2e", "--cluster", self.kind, "--name", CLUSTER_NAME, "--keep", "--results"])
            .path(&self.folder.join("first"))
            .args([
                "--replicas",
                "1",
                "--workers",
                "2",
                "--users",
                "4",
                "--duration",
                "1s",
                "--cooldown",
                "0s",
            ])
            .show(ShowOutput::Stderr)
            .stop_policy(StopPolicy::AllowTime(Duration::from_mins(2)));
        let done = e2e.run(&self.session).await?;
        done.require_success(&self.session, CLUSTER, "read the message above").map(drop)
    }

    /// Searches the capacities of a service, and returns the folder with the results.
    pub(super) async fn search(
        &self,
        service: &str,
        seed: u64,
        replicas: &[u32],
    ) -> Result<PathBuf, Failure> {
        let name = format!("{service}-{seed}");
        let (matrix, results) = (self.folder.join(format!("{name}.yaml")), self.folder.join(&name));
        settings(&matrix, replicas)?;
        let kubeconfig = self.folders.cluster(CLUSTER_NAME).join("kubeconfig");
        let set = Cmd::new("kubectl")
            .arg("--kubeconfig")
            .path(&kubeconfig)
            .args(["set", "env", "deployment/inference"])
            .arg(format!("FAKE_INFERENCE_SERVICE={service}"))
            .arg(format!("FAKE_INFERENCE_SERVICE_MS={SERVICE_MS}"))
            .arg(format!("FAKE_INFERENCE_CONCURRENCY={SLOTS}"))
            .arg(format!("FAKE_INFERENCE_SEED={seed}"))
            .deadline(Duration::from_secs(30));
        let done = set.run(&self.session).await.map_err(|failure| {
            failure.with_installation("install kubectl, which sets the stub's service times")
        })?;
        done.require_success(&self.session, CLUSTER, "check that the cluster still exists")?;
        let run = Cmd::new(self.driver.display().to_string())
            .arg("--kubeconfig")
            .path(&kubeconfig)
            .args(["run", "--cluster-kind", self.kind, "--config"])
            .path(&matrix)
            .arg("--results")
            .path(&results)
            .show(ShowOutput::Stderr)
            .stop_policy(StopPolicy::AllowTime(Duration::from_mins(2)));
        let done = run.run(&self.session).await?;
        // A capacity that is not found is a row of the table.
        if done.code() != OBJECTIVE {
            done.require_success(&self.session, CLUSTER, "read the message above")?;
        }
        let entries = std::fs::read_dir(&results).map_err(|error| Failure::file(&results, "read", &error))?;
        let run = entries.flatten().map(|entry| entry.path()).next();
        run.ok_or_else(|| Failure::bug(format!("{}: the driver has left no results", results.display())))
    }

    /// Deletes the cluster, if it is there.
    pub(super) async fn delete(&self) -> Result<(), Failure> {
        let folder = self.folders.cluster(CLUSTER_NAME);
        for process in orphan::find(&folder) {
            orphan::terminate(&process).await;
        }
        match State::read(&folder)? {
            Some(state) => {
                let kind = choice::find_kind(&self.session).await?;
                cluster::delete(&self.session, &kind.engine, &folder, &state, true).await
            }
            None => Ok(()),
        }
    }
}

/// Writes the settings of a search.
fn settings(path: &Path, replicas: &[u32]) -> Result<(), Failure> {
    let text = format!(
        "{{preset: quick, replicas: {replicas:?}, workers: [2], spawn_rate: 60, cooldown: 1s, \
         objective: {{p95_ms: {P95_MS:.0}}}, capacity: {{of: users}}}}\n"
    );
    folders::write(path, text.as_bytes())
}
