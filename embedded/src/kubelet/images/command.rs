//! Commands of this machine: finding and running them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::kubelet::child;

/// Finds a command as a shell does. `folders` has the format of the variable `PATH`.
pub(crate) fn find(command: &str, folders: &str) -> Option<PathBuf> {
    if command.contains('/') {
        return Some(PathBuf::from(command));
    }
    std::env::split_paths(folders).map(|folder| folder.join(command)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs a program to its end. The kernel kills the program when this one is killed, so that no installation goes on
/// without its cluster. Returns its standard output, or the last lines of its standard error.
pub(crate) async fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let line = format!("{} {}", program.display(), arguments.join(" "));
    let failed = |error: std::io::Error| format!("`{line}`: {error}");
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(child::mode()).arg(program).args(arguments);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut last: Vec<&str> = errors.lines().rev().filter(|line| !line.trim().is_empty()).take(4).collect();
    last.reverse();
    Err(format!("`{line}` failed ({}): {}", output.status, last.join(" | ")))
}
