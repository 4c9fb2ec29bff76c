//! Cleans up each cluster's folder in the target folder: first processes, then the cluster, then the files.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::Cleaner;
use super::ownership::{self, Owner};
use crate::e2e::cluster::{self, LABEL};
use crate::e2e::state::{self, State};
use crate::engine::{Container, Engine};
use crate::failure::Failure;
use crate::orphan;

impl Cleaner {
    pub(super) async fn folders_of_clusters(&mut self) -> Result<(), Failure> {
        let e2e = self.folders.e2e();
        let nodes = match &self.engine {
            Ok(engine) => engine.containers_with_label(LABEL).await?,
            Err(_) => Vec::new(),
        };
        let images = self.folders.images();
        let mut folders: BTreeSet<PathBuf> =
            entries(&e2e).into_iter().filter(|path| path.is_dir() && *path != images).collect();
        let names: BTreeSet<&String> = nodes.iter().filter_map(|node| node.labels.get(LABEL)).collect();
        for name in names {
            match ownership::owner(&nodes_of(&nodes, name), &e2e) {
                // The folder itself may be gone, after `cargo clean`.
                Owner::ThisTarget(folder) => drop(folders.insert(folder)),
                Owner::OtherTarget(folder) => {
                    let target = folder.parent().and_then(Path::parent).unwrap_or(&folder);
                    let why = format!(
                        "made with another target folder; remove it with CARGO_TARGET_DIR={} cargo xtask cleanup",
                        target.display()
                    );
                    self.left_alone(&format!("cluster {name}"), &why);
                }
                Owner::Unknown if folders.contains(&e2e.join(name)) => {
                    self.left_alone(
                        &format!("cluster {name}"),
                        "has a name of ours, but its node does not mount our folder",
                    );
                }
                Owner::Unknown => {}
            }
        }
        for folder in folders {
            self.folder(&folder).await?;
        }
        Ok(())
    }

    async fn folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lock = match self.lock(folder, &name) {
            Ok(lock) => lock,
            Err(failure) => {
                let why = failure.what.trim_start_matches(&format!("cluster {name}: ")).to_owned();
                self.left_alone(&format!("cluster {name}"), &why);
                return Ok(());
            }
        };
        let mut ended = false;
        for process in orphan::find(folder) {
            ended = true;
            if self.args.dry_run || orphan::terminate(&process).await {
                self.removed(&process.name());
            } else {
                let next = "find out why it does not end, and end it by hand";
                let what = format!("{}: does not end", process.name());
                self.failures.push(Failure::new(crate::failure::CLUSTER, what, next));
            }
        }
        if !self.cluster(folder, &name, ended).await? {
            // The next cleanup needs the files to know what is still to be removed.
            return Ok(());
        }
        self.files(folder)?;
        if !self.args.dry_run {
            let _ = std::fs::remove_file(folder.join("lock"));
            // This fails if the user has put something into the folder, and the folder stays.
            let _ = std::fs::remove_dir(folder);
        }
        drop(lock);
        Ok(())
    }

    /// Locks the folder. A dry run does not create the lock file.
    fn lock(&self, folder: &Path, name: &str) -> Result<Option<File>, Failure> {
        if self.args.dry_run && !folder.join("lock").exists() {
            return Ok(None);
        }
        state::lock(folder, name).map(Some)
    }

    /// Deletes the cluster, and kind's network if it came with the cluster. Returns whether the cluster is gone.
    async fn cluster(&mut self, folder: &Path, name: &str, ended: bool) -> Result<bool, Failure> {
        let state = State::read(folder)?;
        let engine = match (&self.engine, &state) {
            (Ok(engine), _) => engine.clone(),
            (Err(_), None) => return Ok(true),
            (Err(failure), Some(_)) => {
                let failure = failure.clone();
                return self.record_failure::<()>(Err(failure)).map(|_| false);
            }
        };
        let nodes = engine.containers_with_label(&format!("{LABEL}={name}")).await?;
        let ours = ownership::owner(&Vec::from_iter(&nodes), &self.folders.e2e())
            == Owner::ThisTarget(folder.into());
        if (nodes.is_empty() && state.is_none() && !ended) || (!nodes.is_empty() && !ours) {
            return Ok(true);
        }
        let network = network(&engine).await?;
        let state = state.unwrap_or_else(|| State::unknown(name));
        if !self.args.dry_run {
            // A container that was being created a moment ago may still appear.
            let expect_late_nodes = !state.kept || ended;
            let deleted = cluster::delete(&self.session, &engine, folder, &state, expect_late_nodes).await;
            if self.record_failure(deleted)?.is_none() {
                return Ok(false);
            }
        }
        if !nodes.is_empty() {
            let kept = if state.kept { " (kept by --keep)" } else { "" };
            self.removed(&format!("cluster {name}{kept}"));
        }
        let network_is_gone = match &network {
            None => false,
            Some(containers) if self.args.dry_run => state.created_network && *containers <= nodes.len(),
            Some(_) => self::network(&engine).await?.is_none(),
        };
        if network_is_gone {
            self.removed(&format!("network {}", cluster::network_name()));
        }
        Ok(true)
    }

    fn files(&mut self, folder: &Path) -> Result<(), Failure> {
        let mut other_files = Vec::new();
        for path in entries(folder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if ownership::is_run_file(&name) {
                self.remove(&path)?;
            } else if name != "lock" {
                other_files.push(name);
            }
        }
        match other_files.as_slice() {
            [] => self.removed(&format!("folder {}", folder.display())),
            names => self.left_alone(&folder.display().to_string(), &format!("has {}", names.join(", "))),
        }
        Ok(())
    }

    /// Removes half-written files whose writer is gone, in the folders that all clusters share.
    pub(super) fn half_written_files(&mut self) -> Result<(), Failure> {
        for folder in [self.folders.e2e(), self.folders.images()] {
            for path in entries(&folder) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if ownership::writer_of(&name).is_some_and(|pid| !orphan::is_running(pid, "xtask")) {
                    self.remove(&path)?;
                    self.removed(&format!("file {}", path.display()));
                }
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        if self.args.dry_run {
            return Ok(());
        }
        let removed = if path.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                self.record_failure::<()>(Err(Failure::file(path, "remove", &error))).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// The number of containers in kind's network, if the network exists.
async fn network(engine: &Engine) -> Result<Option<usize>, Failure> {
    Ok(engine.network(&cluster::network_name()).await?.map(|network| network.containers))
}

fn nodes_of<'a>(nodes: &'a [Container], name: &str) -> Vec<&'a Container> {
    nodes.iter().filter(|node| node.labels.get(LABEL).is_some_and(|label| label == name)).collect()
}

/// The sorted content of a folder; empty if there is no such folder.
fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
