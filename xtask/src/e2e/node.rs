//! Loads images into the kind node, already while its control plane is starting.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::choice::kind_command;
use super::images::ImageFile;
use crate::engine::Engine;
use crate::failure::{CLUSTER, Failure};
use crate::run::Session;
use crate::run::command::Cmd;

/// How long to wait for the node's containerd, including the time in which kind pulls the node image.
const ANSWERS_WITHIN: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(crate) struct Node {
    cluster: String,
    engine: Engine,
    /// Whether it is the node of a kept cluster, which may have the images already.
    kept: bool,
    snapshotter: OnceCell<String>,
    /// Archives that could not be imported early; `kind load` loads them at the end.
    remaining: Mutex<Vec<PathBuf>>,
}

/// The node's kubectl, with the kubeconfig that kubeadm puts on the node.
const KUBECTL: [&str; 3] = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"];

/// The name that kind gives to the container of the only node.
fn container(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// The kubectl inside of the node, so that none has to be installed on this machine.
pub(super) fn kubectl(cluster: &str) -> Cmd {
    Cmd::new("docker").arg("exec").arg(container(cluster)).args(KUBECTL)
}

impl Node {
    pub(super) fn new(cluster: &str, engine: &Engine, kept: bool) -> Self {
        Self {
            cluster: cluster.to_owned(),
            engine: engine.clone(),
            kept,
            snapshotter: OnceCell::new(),
            remaining: Mutex::default(),
        }
    }

    pub(super) fn kubectl(&self) -> Cmd {
        kubectl(&self.cluster)
    }

    /// What the node's kubectl prints; `None` if it does not succeed. This is for polling only.
    pub(super) async fn ask(&self, argv: &[&str]) -> Option<String> {
        let answer = self.engine.exec(&container(&self.cluster), &[&KUBECTL[..], argv].concat()).await;
        answer.filter(|(code, _)| *code == 0).map(|(_, text)| text)
    }

    /// Imports an image as soon as the node's containerd answers. If that fails, [`Self::load_remaining`] loads it.
    pub(super) async fn load(&self, session: &Session, image: &ImageFile) -> Result<(), Failure> {
        if self.kept && self.has(image).await {
            session.progress.timed_line(&format!("{}: the node has it already", image.reference));
            return Ok(());
        }
        let snapshotter = session.unless_stopped(self.containerd()).await?;
        let import = Cmd::new("docker")
            .args(["exec", "--privileged", "-i"])
            .arg(container(&self.cluster))
            .args(["ctr", "--namespace=k8s.io", "images", "import"])
            .args(["--all-platforms", "--digests"])
            .arg(format!("--snapshotter={snapshotter}"))
            .arg("-")
            .stdin(&image.archive)
            .deadline(Duration::from_mins(5));
        let name = format!("load {} into the node", image.reference);
        let done = session
            .step(&name, async {
                let done = import.run(session).await?;
                done.require_success(session, CLUSTER, "")
            })
            .await;
        match done {
            Err(failure) if failure.is_interruption() => Err(failure),
            Err(_) => {
                session
                    .progress
                    .timed_line(&format!("{}: will be loaded again when the cluster is up", image.reference));
                let mut remaining = self.remaining.lock().unwrap_or_else(PoisonError::into_inner);
                remaining.push(image.archive.clone());
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Loads with `kind load` what could not be imported early.
    pub(super) async fn load_remaining(&self, session: &Session) -> Result<(), Failure> {
        let remaining = std::mem::take(&mut *self.remaining.lock().unwrap_or_else(PoisonError::into_inner));
        for archive in remaining {
            let done = kind_command()
                .args(["load", "image-archive", "--name", &self.cluster])
                .path(&archive)
                .deadline(Duration::from_mins(5))
                .run(session)
                .await?;
            done.require_success(
                session,
                CLUSTER,
                "read the output above, and check that Docker has disk space left",
            )?;
        }
        Ok(())
    }

    /// Waits until containerd answers, and returns the snapshotter with which it unpacks images.
    async fn containerd(&self) -> Result<String, Failure> {
        let snapshotter = self.snapshotter.get_or_try_init(|| async {
            let container = container(&self.cluster);
            let by = Instant::now() + ANSWERS_WITHIN;
            let version = ["ctr", "--namespace=k8s.io", "version"];
            loop {
                match self.engine.exec(&container, &version).await {
                    Some((0, _)) => break,
                    seen if Instant::now() > by => {
                        return Err(Failure::new(
                            CLUSTER,
                            format!(
                                "{container}: its containerd does not answer ({})",
                                seen.map_or_else(
                                    || "no such container".into(),
                                    |(code, _)| { format!("`ctr version` ended with {code}") }
                                )
                            ),
                            format!("docker logs {container}"),
                        ));
                    }
                    _ => sleep(Duration::from_millis(300)).await,
                }
            }
            let config = ["containerd", "config", "dump"];
            let config = self.engine.exec(&container, &config).await;
            Ok(snapshotter(&config.unwrap_or_default().1))
        });
        snapshotter.await.cloned()
    }

    /// Whether the node has exactly this image under this name.
    async fn has(&self, image: &ImageFile) -> bool {
        #[derive(Deserialize)]
        struct Inspected {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            id: String,
        }
        let argv = ["crictl", "inspecti", &image.reference];
        let answer = self.engine.exec(&container(&self.cluster), &argv).await;
        answer
            .filter(|(code, _)| *code == 0)
            .and_then(|(_, text)| serde_json::from_str::<Inspected>(&text).ok())
            .is_some_and(|found| found.status.id == image.id)
    }
}

/// The snapshotter in containerd's configuration.
fn snapshotter(config: &str) -> String {
    config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("snapshotter = "))
        .map(|value| value.trim_matches(['"', '\'']).to_owned())
        .find(|value| !value.is_empty())
        .unwrap_or_else(|| "overlayfs".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshotter_is_read_from_both_ways_to_quote_in_toml() {
        let old = "[plugins.cri.containerd]\n      snapshotter = \"fuse-overlayfs\"\n";
        assert_eq!(snapshotter(old), "fuse-overlayfs");
        assert_eq!(snapshotter("      snapshotter = 'native'\n"), "native");
        assert_eq!(snapshotter("nothing"), "overlayfs");
    }
}
