//! The kubeconfig that the cluster writes for its owner.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::api::is_own_kubeconfig;
use crate::files::write_secret;

/// A larger file is no kubeconfig of this cluster. In bytes.
const MAX_SIZE: u64 = 64 * 1024;

/// The place of the kubeconfig, and the file, as soon as it is written.
pub(super) struct KubeconfigFile {
    path: PathBuf,
    /// Locked as long as the cluster runs, so that no other cluster replaces it.
    written: Option<File>,
}

impl KubeconfigFile {
    /// Checks that a cluster may write its kubeconfig there.
    ///
    /// # Errors
    /// The file exists, and it is not the kubeconfig of a cluster that has ended.
    pub(super) fn claim(path: &Path) -> Result<Self, String> {
        check(path)?;
        Ok(Self { path: path.to_path_buf(), written: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the kubeconfig. Only its owner may read it.
    ///
    /// # Errors
    /// As for `claim`, or the file cannot be written.
    pub(super) fn write(&mut self, text: &str) -> Result<(), String> {
        check(&self.path)?;
        let written = write_secret(&self.path, text).and_then(|file| {
            file.try_lock()?;
            Ok(file)
        });
        self.written = Some(written.map_err(|error| problem(&self.path, &error))?);
        Ok(())
    }

    /// Removes the file if this cluster wrote it and nobody has added other clusters to it.
    pub(super) fn remove(self) {
        let Some(written) = self.written else { return };
        let identity = |data: fs::Metadata| (data.dev(), data.ino());
        let same =
            fs::symlink_metadata(&self.path).map(identity).ok() == written.metadata().map(identity).ok();
        if same && File::open(&self.path).and_then(is_own).unwrap_or(false) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Refuses a file that a cluster must not replace.
fn check(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(problem(path, &error)),
        Ok(data) if !data.is_file() => return Err(foreign(path)),
        Ok(_) => {}
    }
    let file = File::open(path).map_err(|error| problem(path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(format!(
                "--kubeconfig {}: another cluster is using it\nnext: end that cluster, or choose another file",
                path.display()
            ));
        }
        Err(TryLockError::Error(error)) => return Err(problem(path, &error)),
    }
    if is_own(file).map_err(|error| problem(path, &error))? { Ok(()) } else { Err(foreign(path)) }
}

fn is_own(file: File) -> io::Result<bool> {
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(is_own_kubeconfig(&String::from_utf8_lossy(&bytes)))
}

fn foreign(path: &Path) -> String {
    format!(
        "--kubeconfig {}: it exists, and it is not a kubeconfig that an embedded cluster wrote\nnext: choose a file that does not exist yet",
        path.display()
    )
}

fn problem(path: &Path, error: &io::Error) -> String {
    format!("--kubeconfig {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r#"{ "clusters": [{ "name": "locust-matrix-embedded" }] }"#;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        (folder, path)
    }

    fn refused(path: &Path) -> String {
        KubeconfigFile::claim(path).err().unwrap()
    }

    #[test]
    fn other_files_are_refused() {
        let (folder, path) = path();
        let mixed = "clusters: [{ name: locust-matrix-embedded }, { name: production }]";
        for text in ["", "clusters: []", "apiVersion: v1\nclusters: [{ name: production }]", mixed, "\u{0}"] {
            fs::write(&path, text).unwrap();
            let problem = refused(&path);
            assert!(problem.contains("not a kubeconfig that an embedded cluster wrote"), "{text}: {problem}");
            assert!(problem.contains("next: "), "{problem}");
        }
        assert!(refused(folder.path()).contains("not a kubeconfig"), "a folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(refused(&link).contains("not a kubeconfig"), "a link");
    }

    #[test]
    fn the_kubeconfig_of_a_killed_cluster_is_replaced_and_that_of_a_running_one_is_not() {
        let (_folder, path) = path();
        let mut first = KubeconfigFile::claim(&path).unwrap();
        first.write(OWN).unwrap();
        assert!(refused(&path).contains("another cluster is using it"));
        drop(first);
        KubeconfigFile::claim(&path).unwrap().write(OWN).unwrap();
    }

    #[test]
    fn only_the_file_that_this_cluster_wrote_is_removed() {
        let (folder, path) = path();
        KubeconfigFile::claim(&path).unwrap().remove();
        let mut one = KubeconfigFile::claim(&path).unwrap();
        one.write(OWN).unwrap();
        one.remove();
        assert!(!path.exists());

        fs::write(&path, OWN).unwrap();
        KubeconfigFile::claim(&path).unwrap().remove();
        assert!(path.exists(), "it was there before, and nothing was written");

        let mut one = KubeconfigFile::claim(&path).unwrap();
        one.write(OWN).unwrap();
        fs::write(&path, "clusters: [{ name: locust-matrix-embedded }, { name: production }]").unwrap();
        one.remove();
        assert!(path.exists(), "the user has added a cluster");

        fs::write(&path, OWN).unwrap();
        let mut one = KubeconfigFile::claim(&path).unwrap();
        one.write(OWN).unwrap();
        fs::write(folder.path().join("other"), OWN).unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        one.remove();
        assert!(path.exists(), "another program has replaced it");
    }
}
