//! The folder for the files of a cluster.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder of one cluster. No other cluster can use it at the same time.
pub(super) struct StateFolder {
    path: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Locks the folder, and removes what a killed cluster may have left in it. Creates it if it is missing.
    pub(super) fn lock(path: &Path) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("--state {}: {error}", path.display());
        let path = std::path::absolute(path).map_err(problem)?;
        fs::create_dir_all(&path).map_err(problem)?;
        let lock = File::create(path.join("lock")).map_err(problem)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "--state {}: another cluster is using it\nnext: end that cluster, or choose another folder",
                    path.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(problem(error)),
        }
        let folder = Self { path, _lock: lock };
        if let Err(error) = fs::remove_dir_all(folder.pods())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(problem(error));
        }
        fs::create_dir_all(folder.pods()).map_err(problem)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for the files of the pods.
    pub(super) fn pods(&self) -> PathBuf {
        self.path.join("pods")
    }

    /// Removes the files of this cluster. The folder itself stays if it contains other files.
    pub(super) fn remove(self) {
        let _ = fs::remove_dir_all(self.pods());
        let _ = fs::remove_file(self.path.join("lock"));
        let _ = fs::remove_dir(&self.path);
    }
}
