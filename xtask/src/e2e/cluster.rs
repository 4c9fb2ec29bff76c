//! The kind cluster: it is created, or used again if it was kept, and deleted without leftovers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::choice::kind_command;
use super::driver::Target;
use super::node;
use super::owner_mount;
use super::state::State;
use crate::engine::Engine;
use crate::failure::{CLUSTER, Failure, PREFLIGHT};
use crate::folders;
use crate::run::Session;
use crate::run::command::{Cmd, Finished, ShowOutput};
use crate::run::stop::StopPolicy;

const ABSENT: u8 = 0;
const BEGUN: u8 = 1;
const UP: u8 = 2;

#[derive(Debug)]
pub(crate) struct Cluster {
    engine: Engine,
    folder: PathBuf,
    state: State,
    kept: bool,
    /// `ABSENT`, `BEGUN` or `UP`. From `BEGUN` on the cluster has to be deleted.
    phase: AtomicU8,
}

impl Cluster {
    /// A cluster that an earlier run has kept, or else a new one.
    pub(super) fn new(engine: &Engine, folder: &Path, new: State, kept: Option<State>) -> Self {
        Self {
            engine: engine.clone(),
            folder: folder.to_path_buf(),
            kept: kept.is_some(),
            state: kept.unwrap_or(new),
            phase: AtomicU8::new(ABSENT),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.state.name
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The name of the context, which kind chooses.
    fn context(&self) -> String {
        format!("kind-{}", self.state.name)
    }

    /// The cluster for the driver's flags.
    pub(super) fn target(&self) -> Target {
        let kubeconfig = self.kubeconfig().display().to_string();
        let flags = vec!["--kubeconfig".to_owned(), kubeconfig, "--context".to_owned(), self.context()];
        Target { flags, overlay: "kind", kind: "kind", load_foreign_service: false }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.phase.load(Ordering::Relaxed) != ABSENT
    }

    pub(crate) fn is_up(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == UP
    }

    /// The name of the step that [`Self::provide`] is.
    pub(super) fn step_name(&self) -> &'static str {
        if self.kept { "use the kept cluster again" } else { "create the cluster" }
    }

    /// Creates the cluster, or uses the kept one.
    pub(super) async fn provide(&self, session: &Session) -> Result<(), Failure> {
        if self.kept {
            // From here on it belongs to this run, which deletes it at the end unless it is kept again.
            self.phase.store(UP, Ordering::Relaxed);
            return self.export_kubeconfig(session).await;
        }
        let config = self.folder.join("kind.yaml");
        folders::create(&self.folder.join(owner_mount::FOLDER))?;
        folders::write(&config, owner_mount::kind_config(&self.folder).as_bytes())?;
        self.state.write(&self.folder)?;
        self.phase.store(BEGUN, Ordering::Relaxed);
        let done = kind_command()
            .args(["create", "cluster", "--name", self.name()])
            .args(["--image", &self.state.node_image])
            .arg("--kubeconfig")
            .path(&self.kubeconfig())
            .arg("--config")
            .path(&config)
            .args(["--wait", "120s"])
            .show(ShowOutput::Indented)
            .deadline(Duration::from_mins(15))
            .run(session)
            .await?;
        if done.tail.contains("already exist for a cluster with the name") {
            // Somebody else has created it in the meantime, so it is not ours to delete.
            self.phase.store(ABSENT, Ordering::Relaxed);
            State::remove(&self.folder);
        }
        let (code, next) = advice(&done, &self.state.node_image);
        let done = done.require_success(session, code, next)?;
        if !done.tail.contains("Ready after") {
            // `kind create --wait` only warns when its time runs out.
            self.await_ready(session).await?;
        }
        self.phase.store(UP, Ordering::Relaxed);
        Ok(())
    }

    async fn export_kubeconfig(&self, session: &Session) -> Result<(), Failure> {
        let done = kind_command()
            .args(["export", "kubeconfig", "--name", self.name()])
            .arg("--kubeconfig")
            .path(&self.kubeconfig())
            .deadline(Duration::from_secs(30))
            .run(session)
            .await?;
        let next = format!("kind delete cluster --name {}", self.name());
        done.require_success(session, CLUSTER, next).map(drop)
    }

    async fn await_ready(&self, session: &Session) -> Result<(), Failure> {
        let done = node::kubectl(self.name())
            .args(["wait", "--for=condition=Ready", "nodes", "--all"])
            .arg("--timeout=60s")
            .deadline(Duration::from_secs(75))
            .run(session)
            .await?;
        let next = "run it again with --keep and read: docker exec NODE journalctl -u kubelet";
        done.require_success(session, CLUSTER, next).map(drop)
    }

    /// Keeps it running for the next run.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        let state = State { kept: true, ..self.state.clone() };
        state.write(&self.folder)
    }

    pub(super) async fn remove(&self, session: &Session) -> Result<(), Failure> {
        let expect_late_nodes = session.stop.signal_count() > 0;
        delete(session, &self.engine, &self.folder, &self.state, expect_late_nodes).await?;
        self.phase.store(ABSENT, Ordering::Relaxed);
        Ok(())
    }
}

/// The exit code and the next step for a creation that failed.
fn advice(done: &Finished, image: &str) -> (u8, String) {
    if done.tail.contains("failed to pull image") {
        let next = format!(
            "check the network: docker pull {image}\n\
             or name an image that is there: --node-image IMAGE (or KIND_NODE_IMAGE)"
        );
        return (PREFLIGHT, next);
    }
    let next = "read the output above; often there is too little memory, disk or inotify watches\n\
                (https://kind.sigs.k8s.io/docs/user/known-issues)";
    (CLUSTER, next.to_owned())
}

/// The label that kind puts on its nodes.
pub(crate) const LABEL: &str = "io.x-k8s.kind.cluster";

/// The network that kind uses; the variable is kind's own.
pub(crate) fn network_name() -> String {
    std::env::var("KIND_EXPERIMENTAL_DOCKER_NETWORK").unwrap_or_else(|_| "kind".to_owned())
}

/// Deletes a cluster until none of its nodes is there. `expect_late_nodes`: go on looking for two seconds, because
/// a container that Docker was asked for just before kind was stopped appears only afterwards.
pub(crate) async fn delete(
    session: &Session,
    engine: &Engine,
    folder: &Path,
    state: &State,
    expect_late_nodes: bool,
) -> Result<(), Failure> {
    let name = &state.name;
    let kubeconfig = folder.join("kubeconfig");
    // A kind that was killed leaves its lock file, and every later kind would wait for it.
    let _ = std::fs::remove_file(folder.join("kubeconfig.lock"));
    let give_up = Instant::now() + Duration::from_mins(1);
    let mut first = true;
    let mut absent_since = Instant::now();
    loop {
        let nodes = engine.containers_with_label(&format!("{LABEL}={name}")).await?;
        if first || !nodes.is_empty() {
            let done = kind_command()
                .args(["delete", "cluster", "--name", name])
                .arg("--kubeconfig")
                .path(&kubeconfig)
                .stop_policy(StopPolicy::Never)
                .deadline(Duration::from_mins(1))
                .run(session)
                .await?;
            if Instant::now() > give_up {
                let next = format!("docker rm -f -v {name}-control-plane");
                return Err(done.require_success(session, CLUSTER, next.clone()).err().unwrap_or_else(
                    || Failure::new(CLUSTER, format!("cluster {name}: cannot be deleted"), next),
                ));
            }
            first = false;
            absent_since = Instant::now();
        } else if !expect_late_nodes || absent_since.elapsed() > Duration::from_secs(2) {
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    remove_network(session, engine, folder, state.created_network).await?;
    State::remove(folder);
    let _ = std::fs::remove_file(&kubeconfig);
    let _ = std::fs::remove_file(folder.join("kind.yaml"));
    let _ = std::fs::remove_dir(folder.join(owner_mount::FOLDER));
    Ok(())
}

/// A file with the ID of the network that came with one of our clusters, if the network outlived the cluster.
pub(crate) fn network_note(e2e: &Path) -> PathBuf {
    e2e.join("network")
}

/// Removes kind's network, which kind itself never does, if it came with a cluster of ours and nobody uses it. If
/// another cluster uses it, its ID is noted, so that it is removed with the last cluster.
async fn remove_network(
    session: &Session,
    engine: &Engine,
    folder: &Path,
    created: bool,
) -> Result<(), Failure> {
    let name = network_name();
    let note = network_note(folder.parent().unwrap_or(folder));
    let Some(network) = engine.network(&name).await? else {
        let _ = std::fs::remove_file(&note);
        return Ok(());
    };
    if !created && std::fs::read_to_string(&note).ok().as_ref() != Some(&network.id) {
        return Ok(());
    }
    if network.containers > 0 {
        return folders::write(&note, network.id.as_bytes());
    }
    // If another cluster has begun to use it in the meantime, Docker refuses, as it should.
    Cmd::new("docker")
        .args(["network", "rm", &network.id])
        .stop_policy(StopPolicy::Never)
        .deadline(Duration::from_secs(20))
        .run(session)
        .await?;
    let _ = std::fs::remove_file(&note);
    Ok(())
}
