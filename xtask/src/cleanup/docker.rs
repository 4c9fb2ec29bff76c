//! Removes from Docker what does not belong to a cluster: containers of tests, a network, old images.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{Cleaner, ownership};
use crate::e2e::cluster;
use crate::engine::Engine;
use crate::failure::{CLUSTER, Failure};
use crate::image;
use crate::orphan;
use crate::run::command::Cmd;
use crate::run::stop::StopPolicy;

/// The label that testcontainers gives to every container that it starts.
const TEST_LABEL: &str = "org.testcontainers.managed-by=testcontainers";

impl Cleaner {
    pub(super) async fn docker(&mut self) -> Result<(), Failure> {
        let engine = match self.engine.clone() {
            Ok(engine) => engine,
            Err(failure) => {
                // Not an error: our clusters were found by their folders, and are deleted already.
                self.left_alone("Docker", &failure.what);
                return Ok(());
            }
        };
        self.containers(&engine).await?;
        self.leftover_network(&engine).await?;
        if self.args.images { self.old_images(&engine).await } else { Ok(()) }
    }

    async fn containers(&mut self, engine: &Engine) -> Result<(), Failure> {
        let busy =
            orphan::any_process_runs(|program| ownership::is_container_test(program, &self.folders.target));
        for container in engine.containers_with_label(TEST_LABEL).await? {
            let what = format!("container {} ({})", container.name, container.image);
            if !ownership::is_test_container(&container, &self.folders.root) {
                if container.image.contains("locustio/locust:") {
                    self.left_alone(&what, "of testcontainers, but without this workspace's scripts");
                }
            } else if busy {
                self.left_alone(&what, "a test is running right now");
            } else {
                self.remove_with(
                    &what,
                    Cmd::new("docker").args(["rm", "--force", "--volumes", &container.name]),
                )
                .await?;
            }
        }
        Ok(())
    }

    /// kind's network, if it came with a cluster of ours that is gone.
    async fn leftover_network(&mut self, engine: &Engine) -> Result<(), Failure> {
        let name = cluster::network_name();
        let note = cluster::network_note(&self.folders.e2e());
        let Ok(id) = std::fs::read_to_string(&note) else {
            return Ok(());
        };
        match engine.network(&name).await? {
            Some(network) if network.id == id && network.containers > 0 => {
                self.left_alone(&format!("network {name}"), "a cluster is using it");
            }
            Some(network) if network.id == id => {
                self.remove_with(&format!("network {name}"), Cmd::new("docker").args(["network", "rm", &id]))
                    .await?;
                if !self.args.dry_run {
                    let _ = std::fs::remove_file(&note);
                }
            }
            _ if !self.args.dry_run => drop(std::fs::remove_file(&note)),
            _ => {}
        }
        Ok(())
    }

    async fn old_images(&mut self, engine: &Engine) -> Result<(), Failure> {
        let archives = ["locust-driver.tar", "fake-inference.tar"];
        let current: BTreeSet<String> =
            archives.iter().filter_map(|name| image_id_in(&self.folders.images().join(name))).collect();
        for image in engine.images(&format!("{}={}", image::LABEL, image::PART_OF)).await? {
            if current.contains(&image.id) {
                continue;
            }
            let names = if image.names.is_empty() { vec![image.id] } else { image.names };
            for name in names {
                self.remove_with(&format!("image {name}"), Cmd::new("docker").args(["rmi", &name])).await?;
            }
        }
        Ok(())
    }

    /// Removes something with a command, which people can see and repeat.
    async fn remove_with(&mut self, what: &str, command: Cmd) -> Result<(), Failure> {
        if !self.args.dry_run {
            let command = command.stop_policy(StopPolicy::OnSecondSignal).deadline(Duration::from_mins(1));
            let next = format!("find out what is using it, and repeat: {}", command.line());
            let done = command.run(&self.session).await;
            let done = done.and_then(|done| done.require_success(&self.session, CLUSTER, next));
            if self.record_failure(done)?.is_none() {
                return Ok(());
            }
        }
        self.removed(what);
        Ok(())
    }
}

/// The ID of the image in an archive of ours, which is the name of the archive's first entry.
fn image_id_in(archive: &Path) -> Option<String> {
    let mut archive = tar::Archive::new(std::fs::File::open(archive).ok()?);
    let first = archive.entries().ok()?.next()?.ok()?;
    let path = first.path().ok()?;
    Some(format!("sha256:{}", path.file_stem()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_id_is_read_from_the_archive() {
        let archive = image::pack("name", "program", b"program", "amd64").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        std::fs::write(&path, &archive.bytes).unwrap();
        assert_eq!(image_id_in(&path), Some(archive.id));
        assert_eq!(image_id_in(&folder.path().join("none.tar")), None);
    }
}
