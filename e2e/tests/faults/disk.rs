//! A small disk that holds the results of one run, so that it can be filled.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::namespace::Problem;

/// A temporary file system. Dropping this value unmounts it.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts it on this folder. Needs the rights of root.
    pub(crate) fn mount(folder: &Path) -> Result<Self, Problem> {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "locust-matrix-test"]).arg(folder);
        let output = mount.output().map_err(|error| format!("mount: {error}"))?;
        if output.status.success() {
            return Ok(Self { folder: folder.to_owned() });
        }
        Err(format!("mount: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Writes a file until there is no room left.
    pub(crate) fn fill(&self) {
        let Ok(mut file) = std::fs::File::create(self.filler()) else { return };
        // Smaller pieces at the end use up the last page, too.
        for size in [65536, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Deletes that file.
    pub(crate) fn free(&self) {
        let _ = std::fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
