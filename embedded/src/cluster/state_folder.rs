//! The folder for the files of a cluster.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file that only one cluster at a time can lock.
const LOCK: &str = "lock";
/// The contents of that file. They show that a cluster wrote the folder, so that a cluster may remove `pods`.
const MARK: &str = "This folder belongs to locust-matrix-cluster, which removes what it has written.\n";

/// The folder of one cluster. No other cluster can use it at the same time.
pub(super) struct StateFolder {
    path: PathBuf,
    /// Whether this cluster has created the folder.
    created: bool,
    _lock: File,
}

impl StateFolder {
    /// Locks the folder, and removes the pods' files that a killed cluster may have left in it. Creates the
    /// folder if it is missing.
    ///
    /// # Errors
    /// The folder contains files that no cluster wrote, or another cluster uses it.
    pub(super) fn lock(path: &Path) -> Result<Self, String> {
        let problem = |error: io::Error| format!("--state {}: {error}", path.display());
        let path = std::path::absolute(path).map_err(problem)?;
        let created = create(&path).map_err(problem)?;
        if let Some(name) = foreign_entry(&path).map_err(problem)? {
            return Err(format!(
                "--state {}: the folder contains {name}, and no cluster has marked the folder as its own\nnext: choose a folder that is empty or does not exist yet",
                path.display()
            ));
        }
        let Some(lock) = take(&path.join(LOCK)).map_err(problem)? else {
            return Err(format!(
                "--state {}: another cluster is using it\nnext: end that cluster, or choose another folder",
                path.display()
            ));
        };
        let folder = Self { path, created, _lock: lock };
        folder.clear().map_err(problem)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for the files of the pods.
    pub(super) fn pods(&self) -> PathBuf {
        self.path.join("pods")
    }

    fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.pods()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Pods have Secrets among their files.
        DirBuilder::new().mode(0o700).create(self.pods())
    }

    /// Removes the files of this cluster. The folder itself stays if it contains other files, or if it was
    /// there before this cluster.
    pub(super) fn remove(self) {
        let _ = fs::remove_dir_all(self.pods());
        let _ = fs::remove_file(self.path.join(LOCK));
        if self.created {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Creates the folder for its owner only. Returns whether it was missing.
fn create(path: &Path) -> io::Result<bool> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// The name of an entry, if no cluster wrote this folder. `None` for a cluster's folder and an empty folder.
fn foreign_entry(folder: &Path) -> io::Result<Option<String>> {
    let mark = match File::open(folder.join(LOCK)) {
        Ok(file) => {
            let mut text = String::new();
            // A file that is not text is not the mark.
            let _ = file.take(1024).read_to_string(&mut text);
            Some(text)
        }
        Err(_) => None,
    };
    if mark.as_deref() == Some(MARK) {
        return Ok(None);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A cluster that starts at this moment has created this file, but not written to it yet.
        let is_new_lock =
            entry.file_name() == LOCK && entry.metadata()?.is_file() && entry.metadata()?.len() == 0;
        if !is_new_lock {
            return Ok(Some(entry.file_name().display().to_string()));
        }
    }
    Ok(None)
}

/// Locks the file and writes the mark into it. `None` if another process holds the lock.
fn take(path: &Path) -> io::Result<Option<File>> {
    loop {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // A cluster that has just ended may have removed the file before it was locked here. Then the lock
        // protects nothing.
        let (own, at_path) = (file.metadata()?, fs::metadata(path));
        if at_path.is_ok_and(|at_path| (at_path.dev(), at_path.ino()) == (own.dev(), own.ino())) {
            if own.len() == 0 {
                file.write_all(MARK.as_bytes())?;
            }
            return Ok(Some(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn refused(path: &Path) -> String {
        StateFolder::lock(path).err().unwrap()
    }

    #[test]
    fn a_folder_with_other_files_is_refused_and_stays_as_it_is() {
        for name in ["pods", "lock", "notes"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), "mine").unwrap();
            let problem = refused(folder.path());
            assert!(problem.contains(&format!("contains {name}")) && problem.contains("next: "), "{problem}");
            assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "mine");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn the_folder_of_a_killed_cluster_is_cleared_and_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let killed = StateFolder::lock(&path).unwrap();
        fs::write(killed.pods().join("left"), "").unwrap();
        drop(killed);
        let next = StateFolder::lock(&path).unwrap();
        assert_eq!(fs::read_dir(next.pods()).unwrap().count(), 0);
        assert!(refused(&path).contains("another cluster is using it"));
    }

    #[test]
    fn only_what_the_cluster_wrote_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        StateFolder::lock(folder.path()).unwrap().remove();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the folder was there before");
        let path = folder.path().join("state");
        let state = StateFolder::lock(&path).unwrap();
        fs::write(path.join("notes"), "mine").unwrap();
        state.remove();
        assert_eq!(fs::read_to_string(path.join("notes")).unwrap(), "mine");
        fs::remove_file(path.join("notes")).unwrap();
        fs::remove_dir(&path).unwrap();
        StateFolder::lock(&path).unwrap().remove();
        assert!(!path.exists());
    }

    #[test]
    fn other_users_cannot_enter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let state = StateFolder::lock(&path).unwrap();
        for folder in [&path, &state.pods()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        }
    }
}
