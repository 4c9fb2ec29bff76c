//! What a file remembers about a cluster between runs, and the lock that keeps two runs of one name apart.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::folders;

/// Written before the cluster is created, so that it can be deleted even if the run is killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) node_image: String,
    pub(crate) kind_version: String,
    /// kind's network came with this cluster, so it is removed with the last cluster.
    pub(crate) created_network: bool,
    /// Kept on purpose, by `--keep`.
    pub(crate) kept: bool,
}

const FILE: &str = "cluster.json";

impl State {
    /// The state of a cluster of ours whose file is gone.
    pub(crate) fn unknown(name: &str) -> Self {
        let (name, node_image, kind_version) = (name.to_owned(), String::new(), String::new());
        Self { name, node_image, kind_version, created_network: false, kept: false }
    }

    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file(&path, "read", &error)),
        };
        // A file that cannot be parsed does not prove that the cluster is ours.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let bytes =
            serde_json::to_vec_pretty(self).map_err(|error| Failure::bug(format!("{FILE}: {error}")))?;
        folders::write(&folder.join(FILE), &bytes)
    }

    pub(crate) fn remove(folder: &Path) {
        let _ = std::fs::remove_file(folder.join(FILE));
    }

    /// This kept cluster, if it has the node image and the kind version that this run needs.
    pub(crate) fn reusable_for(self, wanted: &Self) -> Result<Self, Failure> {
        let name = &self.name;
        for (what, is, should) in [
            ("node image", &self.node_image, &wanted.node_image),
            ("kind", &self.kind_version, &wanted.kind_version),
        ] {
            if is != should {
                return Err(Failure::preflight(
                    format!("the kept cluster {name} has {what} {is}, but this run needs {should}"),
                    format!("use another --name, or delete it: kind delete cluster --name {name}"),
                ));
            }
        }
        Ok(self)
    }
}

/// Locks out a second run of the same name. The system releases the lock when the process ends.
pub(crate) fn lock(folder: &Path, name: &str) -> Result<File, Failure> {
    folders::create(folder)?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|error| Failure::file(&path, "create", &error))?;
    match file.try_lock() {
        // `cargo xtask cleanup` has removed the file between the two calls: nobody else sees this lock.
        Ok(()) if !is_same_file(&file, &path) => lock(folder, name),
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::preflight(
            format!("cluster {name}: another run is using it right now"),
            "wait for it, or use another --name",
        )),
        Err(TryLockError::Error(error)) => Err(Failure::file(&path, "lock", &error)),
    }
}

fn is_same_file(file: &File, path: &Path) -> bool {
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().ok().map(id) == std::fs::metadata(path).ok().map(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(node_image: &str) -> State {
        State {
            name: "n".into(),
            node_image: node_image.into(),
            kind_version: "0.33.0".into(),
            created_network: true,
            kept: true,
        }
    }

    #[test]
    fn a_kept_cluster_is_used_again_only_with_the_same_node_image() {
        assert!(state("a:v1").reusable_for(&state("a:v1")).is_ok());
        let failure = state("a:v1").reusable_for(&state("a:v2")).unwrap_err();
        assert_eq!(failure.code, crate::failure::PREFLIGHT);
        assert!(failure.next.contains("kind delete cluster --name n"));
    }

    #[test]
    fn a_written_state_is_read_back_and_a_broken_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), None);
        state("a:v1").write(folder.path()).unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), Some(state("a:v1")));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), None);
    }

    #[test]
    fn a_second_run_of_the_same_name_is_locked_out() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path(), "n").unwrap();
        assert_eq!(lock(folder.path(), "n").unwrap_err().code, 3);
        drop(first);
        assert!(lock(folder.path(), "n").is_ok());
    }
}
