//! Builds the programs: static ones for the images, and ordinary ones for the embedded cluster.

use std::path::{Path, PathBuf};

use crate::failure::{BUG, Failure, PREFLIGHT, USAGE};
use crate::flake_programs;
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};

/// A folder with the embedded cluster's programs, so that they are not built. `cargo xtask test` sets it.
pub(crate) const PROGRAMS: &str = "LOCUST_MATRIX_PROGRAMS";

/// What a static program is built with. It has no tables for unwinding either, a sixth of the driver: nothing unwinds
/// a program that ends at a panic.
pub(crate) const STATIC: [&str; 2] = ["-Ctarget-feature=+crt-static", "-Cforce-unwind-tables=no"];

/// The driver and the stub.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    pub(crate) driver: PathBuf,
    pub(crate) stub: PathBuf,
}

/// Build both as static binaries, so that their images need no base image.
pub(crate) async fn build(session: &Session, folders: &Folders) -> Result<Binaries, Failure> {
    // Without a checkout, the programs for the images are there already.
    if let (Some(_), Some(folder)) = (folders::home(), built_already()) {
        require_programs(&folder, &["locust-matrix", "fake-inference"])?;
        return Ok(local_binaries(folders));
    }
    build_static(session, folders, Cmd::new("cargo").show(ShowOutput::Indented)).await
}

/// The same, with only the processor time that nothing else needs. Its output would stand between the lines of
/// what runs beside it, so only a failure shows it.
pub(crate) async fn build_in_background(session: &Session, folders: &Folders) -> Result<Binaries, Failure> {
    build_static(session, folders, Cmd::new("nice").args(["-n", "19", "cargo"])).await
}

async fn build_static(session: &Session, folders: &Folders, cargo: Cmd) -> Result<Binaries, Failure> {
    if flake_programs::wanted() {
        let built = flake_programs::build(session, folders, &["locust-matrix", "fake-inference"]).await?;
        let [driver, stub] =
            <[PathBuf; 2]>::try_from(built).map_err(|built| Failure::bug(format!("{built:?}")))?;
        return Ok(Binaries { driver, stub });
    }
    let triple = triple()?;
    let (key, flags) =
        static_flags(std::env::var("CARGO_ENCODED_RUSTFLAGS").ok(), std::env::var("RUSTFLAGS").ok());
    let done = cargo
        .args(["build", "--release", "--locked", "--target", &triple])
        .args(["-p", "locust-matrix", "-p", "fake-inference"])
        .arg("--target-dir")
        .path(&folders.target)
        .env(key, flags)
        .folder(&folders.root)
        .run(session)
        .await?;
    let (code, next) = if done.success() { (BUG, String::new()) } else { advice(&done.tail, &triple) };
    done.require_success(session, code, next)?;
    let release = folders.target.join(&triple).join("release");
    Ok(Binaries { driver: release.join("locust-matrix"), stub: release.join("fake-inference") })
}

/// The embedded cluster's program.
pub(crate) async fn build_cluster(session: &Session, folders: &Folders) -> Result<PathBuf, Failure> {
    local(session, folders, &["locust-matrix-cluster"]).await?;
    Ok(cluster(folders))
}

/// The path of that program.
pub(crate) fn cluster(folders: &Folders) -> PathBuf {
    local_folder(folders).join("locust-matrix-cluster")
}

/// Build the driver and the stub as ordinary programs of this machine.
pub(crate) async fn build_local(session: &Session, folders: &Folders) -> Result<Binaries, Failure> {
    local(session, folders, &["locust-matrix", "fake-inference"]).await?;
    Ok(local_binaries(folders))
}

/// Build all programs with the features that the workspace's tests use. After `cargo test --workspace`, nothing
/// is left to compile.
pub(crate) async fn build_for_tests(session: &Session, folders: &Folders) -> Result<Binaries, Failure> {
    // Only with a test among its targets does Cargo add the features of the dev-dependencies.
    let build = ["build", "--locked", "--workspace", "--bins", "--test", "embedded"];
    cargo_build(session, folders, Cmd::new("cargo").args(build)).await?;
    Ok(local_binaries(folders))
}

fn local_binaries(folders: &Folders) -> Binaries {
    let folder = local_folder(folders);
    Binaries { driver: folder.join("locust-matrix"), stub: folder.join("fake-inference") }
}

/// Where the ordinary programs are.
fn local_folder(folders: &Folders) -> PathBuf {
    built_already().unwrap_or_else(|| folders.target.join("debug"))
}

fn built_already() -> Option<PathBuf> {
    std::env::var_os(PROGRAMS).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Build with the profile for development, which takes less than half the time of a release build. In this
/// profile, too, the code that a measurement depends on is optimized: see `profile.dev.package` in Cargo.toml.
///
/// Each call names all packages. Cargo compiles a shared library with the features that the named packages ask
/// for, so another selection would compile it again.
async fn local(session: &Session, folders: &Folders, programs: &[&str]) -> Result<(), Failure> {
    if let Some(folder) = built_already() {
        return require_programs(&folder, programs);
    }
    let packages = ["build", "--locked", "-p", "embedded", "-p", "locust-matrix", "-p", "fake-inference"];
    let programs = programs.iter().flat_map(|program| ["--bin", program]);
    cargo_build(session, folders, Cmd::new("cargo").args(packages).args(programs)).await
}

/// Check that the programs are there already.
fn require_programs(folder: &Path, programs: &[&str]) -> Result<(), Failure> {
    match programs.iter().map(|program| folder.join(program)).find(|path| !path.is_file()) {
        Some(missing) => Err(Failure::preflight(
            format!("{PROGRAMS}: there is no {}", missing.display()),
            format!("build it, or unset {PROGRAMS}"),
        )),
        None => Ok(()),
    }
}

async fn cargo_build(session: &Session, folders: &Folders, cargo: Cmd) -> Result<(), Failure> {
    let done = cargo
        .arg("--target-dir")
        .path(&folders.target)
        .folder(&folders.root)
        .show(ShowOutput::Indented)
        .run(session)
        .await?;
    let (code, next) = if done.success() { (BUG, String::new()) } else { advice(&done.tail, "") };
    done.require_success(session, code, next).map(drop)
}

/// The target for the images: Linux, this machine's processor.
pub(crate) fn triple() -> Result<String, Failure> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if os != "linux" {
        return Err(Failure::preflight(
            format!("{os}: the Linux binaries for the images cannot be built here"),
            "run this on Linux, or in a Linux virtual machine or container with Docker",
        ));
    }
    if !matches!(arch, "x86_64" | "aarch64") {
        return Err(Failure::preflight(
            format!("{arch}: there are no node images for this processor"),
            "run this on x86_64 or aarch64",
        ));
    }
    Ok(format!("{arch}-unknown-linux-gnu"))
}

/// The processor as container images name it.
pub(crate) fn image_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The user's flags and ours. Cargo reads only one of the two variables, the encoded one first.
fn static_flags(encoded: Option<String>, plain: Option<String>) -> (&'static str, String) {
    let (key, given, separator) = match encoded {
        Some(given) => ("CARGO_ENCODED_RUSTFLAGS", given, "\x1f"),
        None => ("RUSTFLAGS", plain.unwrap_or_default(), " "),
    };
    let given = Some(given.as_str()).filter(|given| !given.is_empty());
    (key, given.into_iter().chain(STATIC).collect::<Vec<_>>().join(separator))
}

/// A build fails because of the code, or because something is not installed: the exit code, and what to do.
pub(crate) fn advice(output: &str, triple: &str) -> (u8, String) {
    let has = |needle: &str| output.contains(needle);
    if has("target may not be installed") || has("can't find crate for `std`") {
        return (PREFLIGHT, format!("rustup target add {triple}"));
    }
    if has("linker `cc` not found") {
        return (PREFLIGHT, "install a C compiler and linker: apt install gcc libc6-dev".into());
    }
    if has("cannot find -l") || has("unable to find library -l") {
        return (
            PREFLIGHT,
            "install the C library for static linking: apt install libc6-dev, \
             dnf install glibc-static, or run inside `nix develop`"
                .into(),
        );
    }
    if has("because --locked was passed") {
        return (
            USAGE,
            "Cargo.lock does not fit the Cargo.toml files: run `cargo update --workspace`, \
             and commit it"
                .into(),
        );
    }
    (BUG, "make `cargo build` pass first".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_user_are_kept() {
        let (key, flags) = static_flags(None, Some("-C debuginfo=0".into()));
        assert_eq!(key, "RUSTFLAGS");
        assert_eq!(flags, "-C debuginfo=0 -Ctarget-feature=+crt-static -Cforce-unwind-tables=no");
        let (key, flags) = static_flags(Some("-Cdebuginfo=0".into()), Some("ignored".into()));
        assert_eq!(key, "CARGO_ENCODED_RUSTFLAGS");
        assert_eq!(flags, "-Cdebuginfo=0\x1f-Ctarget-feature=+crt-static\x1f-Cforce-unwind-tables=no");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one"), b"").unwrap();
        assert!(require_programs(folder.path(), &["one"]).is_ok());
        let failure = require_programs(folder.path(), &["one", "two"]).unwrap_err();
        assert_eq!(failure.code, PREFLIGHT);
        assert!(failure.what.ends_with("/two"), "{failure:?}");
    }

    #[test]
    fn a_missing_static_library_is_not_a_bug() {
        let output = "= note: /usr/bin/ld: cannot find -lc: No such file or directory";
        let (code, next) = advice(output, "x86_64-unknown-linux-gnu");
        assert_eq!(code, PREFLIGHT);
        assert!(next.contains("glibc-static"));
    }

    #[test]
    fn an_outdated_lock_file_is_a_usage_error() {
        let output =
            "error: cannot update the lock file /w/Cargo.lock because --locked was passed to prevent this";
        let (code, next) = advice(output, "x86_64-unknown-linux-gnu");
        assert_eq!(code, USAGE);
        assert!(next.contains("cargo update --workspace"));
    }

    #[test]
    fn a_compile_error_is_a_bug() {
        assert_eq!(advice("error[E0308]: mismatched types", "t").0, BUG);
    }
}
