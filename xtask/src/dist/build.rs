//! The two builds of a release.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{BUG, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::{run, toolchain, tracked};

/// A package, and its program.
pub(super) type Program = (&'static str, &'static str);

/// The programs of a release.
pub(super) const ALL: &[Program] = &[DRIVER, STUB, ("embedded", "locust-matrix-cluster")];
/// The smallest of them.
pub(super) const SMALLEST: &[Program] = &[STUB];

pub(super) const DRIVER: Program = ("locust-matrix", "locust-matrix");
const STUB: Program = ("fake-inference", "fake-inference");

/// The programs of one build.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) built: &'static [Program],
    pub(super) folder: PathBuf,
}

impl Programs {
    /// The name and the path of each program.
    pub(super) fn paths(&self) -> Vec<(String, PathBuf)> {
        self.built.iter().map(|(_, name)| ((*name).to_owned(), self.folder.join(name))).collect()
    }

    /// The path of a program, if it was built.
    pub(super) fn path(&self, program: &str) -> Option<PathBuf> {
        self.built.iter().any(|(_, name)| *name == program).then(|| self.folder.join(program))
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

/// Where and how one of the two builds is made. The release must not depend on any of this.
#[derive(Debug)]
pub(super) struct Place {
    /// The sources: the repository itself, or a copy.
    pub(super) source: PathBuf,
    /// What the build writes.
    target: PathBuf,
    home: PathBuf,
    cargo_home: PathBuf,
    zone: &'static str,
    umask: &'static str,
    jobs: u32,
}

impl Place {
    /// The repository itself.
    pub(super) fn here(folders: &Folders, work: &Path) -> Result<Self, Failure> {
        Ok(Self {
            source: folders.root.clone(),
            target: work.join("first"),
            home: home()?,
            cargo_home: cargo_home()?,
            zone: "UTC",
            umask: "022",
            jobs: 2,
        })
    }

    /// A copy in another folder, for another user: with another home, time zone, umask and number of jobs.
    pub(super) async fn elsewhere(
        session: &Session,
        folders: &Folders,
        work: &Path,
    ) -> Result<Self, Failure> {
        let source = work.join("a copy elsewhere");
        tracked::copy(session, folders, &source).await?;
        let home = work.join("another home");
        // Both users have the same crates, each below a path of their own.
        let cargo_home = home.join(".cargo");
        let _ = std::fs::remove_file(&cargo_home);
        folders::create(&home)?;
        std::os::unix::fs::symlink(self::cargo_home()?, &cargo_home)
            .map_err(|error| Failure::file(&cargo_home, "link", &error))?;
        let target = work.join("second");
        Ok(Self { source, target, home, cargo_home, zone: "Pacific/Kiritimati", umask: "077", jobs: 1 })
    }

    /// A command line in this place.
    pub(super) fn command(&self, words: &[&str]) -> Result<Cmd, Failure> {
        let line: Vec<_> = words.iter().map(|word| run::shell::quote(word)).collect();
        Ok(Cmd::new("sh")
            .args(["-c", &format!("umask {} && exec {}", self.umask, line.join(" "))])
            .env("HOME", self.home.display().to_string())
            .env("CARGO_HOME", self.cargo_home.display().to_string())
            .env("RUSTUP_HOME", rustup_home()?.display().to_string())
            .env("TZ", self.zone)
            .folder(&self.source))
    }

    /// A folder for files that are made while the release is packed.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }
}

/// Builds the programs of the release.
pub(super) async fn programs(
    session: &Session,
    place: &Place,
    wanted: &'static [Program],
    auditable: bool,
    time: u64,
) -> Result<Programs, Failure> {
    let triple = toolchain::triple()?;
    let mut cargo = vec!["cargo"];
    cargo.extend(auditable.then_some("auditable"));
    cargo.extend(["build", "--release", "--locked", "--target", &triple]);
    for (package, program) in wanted {
        cargo.extend(["--package", package, "--bin", program]);
    }
    let done = place
        .command(&cargo)?
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&place.source, &place.cargo_home))
        .env("CARGO_BUILD_JOBS", place.jobs.to_string())
        .env("CARGO_TARGET_DIR", place.target.display().to_string())
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", time.to_string())
        .show(ShowOutput::Indented)
        .deadline(Duration::from_hours(2))
        .run(session)
        .await?;
    let (code, next) =
        if done.success() { (BUG, String::new()) } else { toolchain::advice(&done.tail, &triple) };
    done.require_success(session, code, next)?;
    Ok(Programs { built: wanted, folder: place.target.join(&triple).join("release") })
}

/// Without paths of this machine. The variable separates flags by a character that no path has.
fn flags(source: &Path, cargo_home: &Path) -> String {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let remaps = [remap(source, "/locust-matrix"), remap(cargo_home, "/cargo")];
    toolchain::STATIC.map(str::to_owned).into_iter().chain(remaps).collect::<Vec<_>>().join("\x1f")
}

fn home() -> Result<PathBuf, Failure> {
    std::env::home_dir().ok_or_else(|| Failure::preflight("HOME: not set", "set HOME"))
}

fn cargo_home() -> Result<PathBuf, Failure> {
    std::env::var_os("CARGO_HOME").map_or_else(|| Ok(home()?.join(".cargo")), |folder| Ok(folder.into()))
}

fn rustup_home() -> Result<PathBuf, Failure> {
    std::env::var_os("RUSTUP_HOME").map_or_else(|| Ok(home()?.join(".rustup")), |folder| Ok(folder.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_space_stays_one_flag() {
        let flags = flags(Path::new("/a b"), Path::new("/c"));
        assert_eq!(flags.split('\x1f').count(), toolchain::STATIC.len() + 2);
        assert!(flags.contains("--remap-path-prefix=/a b=/locust-matrix\x1f"), "{flags}");
    }
}
