//! Copies of the repository.

use std::path::Path;

use crate::failure::{Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::Cmd;

/// Copies every file that git tracks, as it is on disk now, to a folder that is emptied before.
pub(crate) async fn copy(session: &Session, folders: &Folders, to: &Path) -> Result<(), Failure> {
    let _ = std::fs::remove_dir_all(to);
    let listed = Cmd::new("git").args(["ls-files", "-z"]).folder(&folders.root).run(session).await?;
    let listed = listed.require_success(session, PREFLIGHT, "run it in a clone of the repository")?;
    for path in listed.stdout.trim_end_matches('\n').split('\0').filter(|path| !path.is_empty()) {
        let (from, to) = (folders.root.join(path), to.join(path));
        folders::create(to.parent().unwrap_or(&to))?;
        // A file whose deletion is not committed is still listed.
        if from.is_file() {
            std::fs::copy(&from, &to).map_err(|error| Failure::file(&from, "copy", &error))?;
        }
    }
    Ok(())
}
