//! The folders in use. Nothing is written outside of the target folder and the results folder.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the workspace.
    pub(crate) target: PathBuf,
}

impl Folders {
    pub(crate) fn find() -> Result<Self, Failure> {
        if let Some(home) = home() {
            let root = absolute(&home)?;
            return Ok(Self { target: target(&root)?, root });
        }
        // Fixed at compile time, so that xtask can be called from any folder.
        let member = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = member.parent().unwrap_or(member).to_path_buf();
        if !root.join("Cargo.toml").is_file() {
            return Err(Failure::preflight(
                format!(
                    "{}: the workspace that this xtask was built in is not there any more",
                    root.display()
                ),
                "call it as `cargo xtask`, so that it is built again",
            ));
        }
        Ok(Self { target: target(&root)?, root })
    }

    /// A folder for each cluster, and one for the images.
    pub(crate) fn e2e(&self) -> PathBuf {
        self.target.join("e2e")
    }

    /// The folder of one cluster: its configuration, kubeconfig, state and log of commands.
    pub(crate) fn cluster(&self, name: &str) -> PathBuf {
        self.e2e().join(name)
    }

    /// Image archives, shared by all clusters.
    pub(crate) fn images(&self) -> PathBuf {
        self.e2e().join("images")
    }
}

/// The folder that stands for the checkout where there is none: for the programs that Nix has built.
pub(crate) const HOME: &str = "LOCUST_MATRIX_HOME";

/// The value of [`HOME`]. With it, nothing is compiled.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os(HOME).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

fn target(root: &Path) -> Result<PathBuf, Failure> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => absolute(Path::new(&folder)),
        _ => Ok(root.join("target")),
    }
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::file(path, "make the path absolute", &error))
}

pub(crate) fn create(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::file(folder, "create the folder", &error))
}

/// Writes a file so that a reader sees either the old content or the new one, never a part of it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = path.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path)).map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        Failure::file(path, "write", &error)
    })
}
