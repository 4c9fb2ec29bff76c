//! Decides what is ours. There is no I/O here, so that tests can cover it: everything that is ours is deleted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::e2e::owner_mount;
use crate::engine::Container;

/// Who has made a kind cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A run with this target folder. The value is the cluster's folder in it.
    ThisTarget(PathBuf),
    /// A run with another target folder. The value is the cluster's folder there.
    OtherTarget(PathBuf),
    /// Not `cargo xtask e2e`, as far as the nodes show.
    Unknown,
}

/// The owner, from the folder that the nodes mount. All nodes have to mount the same one.
pub(super) fn owner(nodes: &[&Container], e2e: &Path) -> Owner {
    let folders: BTreeSet<Option<PathBuf>> = nodes.iter().map(|node| owner_mount::owner(node)).collect();
    match Vec::from_iter(folders).as_slice() {
        [Some(folder)] if folder.parent() == Some(e2e) => Owner::ThisTarget(folder.clone()),
        [Some(folder)] => Owner::OtherTarget(folder.clone()),
        _ => Owner::Unknown,
    }
}

/// The files and empty folders that `e2e` and kind create in a cluster's folder.
const RUN_FILES: [&str; 8] = [
    "cluster.json",
    "cluster.log",
    "commands.log",
    "kind.yaml",
    "kubeconfig",
    "kubeconfig.lock",
    "state",
    owner_mount::FOLDER,
];

/// Whether a run has written this file of a cluster's folder. The lock is not included: it is removed last.
pub(super) fn is_run_file(name: &str) -> bool {
    RUN_FILES.contains(&name) || writer_of(name).is_some()
}

/// The ID of the process that was writing this file, if the file is half-written.
pub(super) fn writer_of(name: &str) -> Option<i32> {
    let (_, pid) = name.rsplit_once(".part-")?;
    pid.parse().ok().filter(|pid| *pid > 0)
}

/// Whether it is a container of our container tests: Locust with this workspace's scripts mounted.
pub(super) fn is_test_container(container: &Container, root: &Path) -> bool {
    let image = container.image.strip_prefix("docker.io/").unwrap_or(&container.image);
    let scripts = (root.join("manifests/base"), PathBuf::from("/mnt/locust"));
    image.starts_with("locustio/locust:") && container.mounts.contains(&scripts)
}

/// Whether a program is this target folder's test binary that starts such containers.
pub(super) fn is_container_test(program: &Path, target: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    program.starts_with(target) && name.starts_with("container-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(image: &str, source: &str, destination: &str) -> Container {
        let mounts = vec![(source.into(), destination.into())];
        Container { image: image.into(), mounts, ..Container::default() }
    }

    fn node(source: &str) -> Container {
        container("kindest/node:v1", source, "/.locust-matrix")
    }

    #[test]
    fn a_cluster_is_ours_only_if_every_node_mounts_our_folder() {
        let e2e = Path::new("/w/target/e2e");
        let ours = node("/w/target/e2e/x/mark");
        let other = node("/v/target/e2e/x/mark");
        let plain = container("kindest/node:v1", "/lib/modules", "/lib/modules");
        assert_eq!(owner(&[&ours], e2e), Owner::ThisTarget("/w/target/e2e/x".into()));
        assert_eq!(owner(&[&other], e2e), Owner::OtherTarget("/v/target/e2e/x".into()));
        assert_eq!(owner(&[&plain], e2e), Owner::Unknown);
        assert_eq!(owner(&[&ours, &plain], e2e), Owner::Unknown);
        assert_eq!(owner(&[&ours, &other], e2e), Owner::Unknown);
        assert_eq!(owner(&[], e2e), Owner::Unknown);
    }

    #[test]
    fn only_files_that_a_run_writes_are_removed() {
        for name in ["cluster.json", "kubeconfig.lock", "kubeconfig.part-12", "x.part-1", "mark"] {
            assert!(is_run_file(name), "{name}");
        }
        for name in ["notes.md", "x.part-", "x.part-1a", "x.part-0", "kubeconfig.bak", "lock"] {
            assert!(!is_run_file(name), "{name}");
        }
        assert_eq!(writer_of("locustio-locust.part-4711"), Some(4711));
    }

    #[test]
    fn a_container_is_ours_if_image_and_mounted_scripts_match() {
        let root = Path::new("/w");
        let ours = |image| is_test_container(&container(image, "/w/manifests/base", "/mnt/locust"), root);
        assert!(ours("locustio/locust:2.46.6"));
        assert!(ours("docker.io/locustio/locust:2.46.6"));
        assert!(!ours("somebody/locust:1"));
        for (source, destination) in [
            ("/v/manifests/base", "/mnt/locust"),
            ("/w/manifests/base", "/mnt"),
            ("/w/manifests", "/mnt/locust"),
        ] {
            assert!(
                !is_test_container(&container("locustio/locust:1", source, destination), root),
                "{source}"
            );
        }
    }

    #[test]
    fn a_running_test_is_recognised_by_its_program() {
        let target = Path::new("/w/target");
        assert!(is_container_test(Path::new("/w/target/debug/deps/container-0a1b"), target));
        assert!(!is_container_test(Path::new("/w/target/debug/deps/kind-0a1b"), target));
        assert!(!is_container_test(Path::new("/v/target/debug/deps/container-0a1b"), target));
    }
}
