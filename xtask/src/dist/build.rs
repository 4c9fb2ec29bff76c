//! The two builds of a release.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{BUG, Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::{run, toolchain};

const PROGRAMS: [(&str, &str); 3] = [
    ("locust-matrix", "locust-matrix"),
    ("fake-inference", "fake-inference"),
    ("embedded", "locust-matrix-cluster"),
];

/// The programs of one build.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
}

impl Programs {
    /// The name and the path of each program.
    pub(super) fn paths(&self) -> Vec<(String, PathBuf)> {
        PROGRAMS.iter().map(|(_, name)| ((*name).to_owned(), self.folder.join(name))).collect()
    }
}

/// Whether cargo-auditable is installed.
pub(super) async fn is_auditable(session: &Session) -> Result<bool, Failure> {
    let asked = Cmd::new("cargo").args(["auditable", "--version"]).deadline(Duration::from_secs(20));
    match asked.run(session).await {
        Ok(done) => Ok(done.success()),
        Err(failure) if failure.is_interruption() => Err(failure),
        Err(_) => Ok(false),
    }
}

pub(super) async fn first(
    session: &Session,
    folders: &Folders,
    work: &Path,
    auditable: bool,
    time: u64,
) -> Result<Programs, Failure> {
    build(session, &folders.root, &work.join("first"), auditable, time, ["UTC", "022"], None).await
}

/// From a copy in another folder, with another time zone, umask and number of jobs.
pub(super) async fn second(
    session: &Session,
    folders: &Folders,
    work: &Path,
    auditable: bool,
    time: u64,
) -> Result<Programs, Failure> {
    let copy = work.join("a copy elsewhere");
    let _ = std::fs::remove_dir_all(&copy);
    let listed = Cmd::new("git").args(["ls-files", "-z"]).folder(&folders.root).run(session).await?;
    let listed = listed.require_success(session, PREFLIGHT, "run it in a clone of the repository")?;
    for path in listed.stdout.trim_end_matches('\n').split('\0').filter(|path| !path.is_empty()) {
        let (from, to) = (folders.root.join(path), copy.join(path));
        folders::create(to.parent().unwrap_or(&copy))?;
        if from.is_file() {
            std::fs::copy(&from, &to).map_err(|error| Failure::file(&from, "copy", &error))?;
        }
    }
    build(session, &copy, &work.join("second"), auditable, time, ["Pacific/Kiritimati", "077"], Some(1)).await
}

async fn build(
    session: &Session,
    source: &Path,
    target: &Path,
    auditable: bool,
    time: u64,
    [zone, umask]: [&str; 2],
    jobs: Option<u32>,
) -> Result<Programs, Failure> {
    let triple = toolchain::triple()?;
    let mut cargo = vec!["cargo"];
    cargo.extend(auditable.then_some("auditable"));
    cargo.extend(["build", "--release", "--locked", "--target", &triple]);
    for (package, program) in PROGRAMS {
        cargo.extend(["--package", package, "--bin", program]);
    }
    let jobs = jobs.map(|jobs| format!("--jobs={jobs}"));
    cargo.extend(jobs.as_deref());
    let line: Vec<_> = cargo.iter().map(|word| run::shell::quote(word)).collect();
    let done = Cmd::new("sh")
        .args(["-c", &format!("umask {umask} && exec {}", line.join(" "))])
        .env("CARGO_ENCODED_RUSTFLAGS", flags(source)?)
        .env("CARGO_TARGET_DIR", target.display().to_string())
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", time.to_string())
        .env("TZ", zone)
        .folder(source)
        .show(ShowOutput::Indented)
        .deadline(Duration::from_hours(2))
        .run(session)
        .await?;
    let (code, next) =
        if done.success() { (BUG, String::new()) } else { toolchain::advice(&done.tail, &triple) };
    done.require_success(session, code, next)?;
    Ok(Programs { folder: target.join(&triple).join("release") })
}

/// Without paths of this machine. The variable separates flags by a character that no path has.
fn flags(source: &Path) -> Result<String, Failure> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.ok_or_else(|| Failure::preflight("HOME: not set", "set HOME or CARGO_HOME"))?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    Ok(["-Ctarget-feature=+crt-static".to_owned(), remap(source, "/locust-matrix"), remap(&home, "/cargo")]
        .join("\x1f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_space_stays_one_flag() {
        let flags = flags(Path::new("/a b")).unwrap();
        assert_eq!(flags.split('\x1f').count(), 3);
        assert!(flags.contains("--remap-path-prefix=/a b=/locust-matrix\x1f"), "{flags}");
    }
}
