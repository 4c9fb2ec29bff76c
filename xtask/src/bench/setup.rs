//! What every benchmark needs before it starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::costs::Run;
use crate::e2e::cluster;
use crate::e2e::state::State;
use crate::e2e::{choice, image_choice};
use crate::engine::Engine;
use crate::failure::{CLUSTER, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::run::stop::{StopPolicy, StopRequests};
use crate::toolchain;
use crate::versions::Versions;

/// The cluster that a benchmark creates, and deletes at the end.
pub(super) const CLUSTER_NAME: &str = "locust-matrix-bench";

/// What every benchmark needs: Docker and kind, a node image, the compiled programs, and a folder.
pub(super) struct Setup {
    pub(super) session: Session,
    pub(super) folders: Folders,
    engine: Engine,
    pub(super) node_image: String,
    pub(super) folder: PathBuf,
}

impl Setup {
    pub(super) async fn prepare(stop: Arc<StopRequests>) -> Result<Self, Failure> {
        let folders = Folders::find()?;
        let folder = folders.target.join("xtask-bench");
        folders::create(&folder)?;
        let session = Session::open(stop, &folder.join("commands.log"), false)?;
        let kind = choice::find_kind(&session).await?;
        let versions = Versions::read()?;
        let named = std::env::var("KIND_NODE_IMAGE").ok();
        let node = session
            .unless_stopped(image_choice::node_image(&session, &kind, &versions, named.as_deref()))
            .await?;
        let build = toolchain::build(&session, &folders);
        session.step("build the driver and the stub", build).await?;
        Ok(Self { session, folders, engine: kind.engine, node_image: node.reference, folder })
    }

    /// Runs `cargo xtask e2e` as a user would, and reads the records of the run.
    pub(super) async fn e2e(&self, results: &Path, matrix: &Path, keep: bool) -> Result<Run, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::bug(format!("this program: {error}")))?;
        let started = jiff::Timestamp::now();
        let done = Cmd::new(own.display().to_string())
            .args(["e2e", "--cluster", "kind", "--name", CLUSTER_NAME, "--node-image", &self.node_image])
            .arg("--config")
            .path(matrix)
            .arg("--results")
            .path(results)
            .args(keep.then_some("--keep"))
            .show(ShowOutput::Stderr)
            .stop_policy(StopPolicy::AllowTime(std::time::Duration::from_mins(2)))
            .run(&self.session)
            .await?;
        let done = done.require_success(&self.session, CLUSTER, "read the message above")?;
        let run = done.stdout.lines().last().map(PathBuf::from);
        let run = run.ok_or_else(|| Failure::bug("`xtask e2e`: prints no folder"))?;
        Run::read(started, &run.join(records::FILE_NAME))
    }

    /// Writes a settings file for a matrix.
    pub(super) fn matrix(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(name);
        folders::write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Deletes the cluster, if it is still there.
    pub(super) async fn delete_cluster(&self) -> Result<(), Failure> {
        let folder = self.folders.cluster(CLUSTER_NAME);
        match State::read(&folder)? {
            Some(state) => cluster::delete(&self.session, &self.engine, &folder, &state, true).await,
            None => Ok(()),
        }
    }
}
