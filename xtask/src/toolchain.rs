//! Building the programs that go into the images: static Linux binaries.

use std::path::PathBuf;

use crate::failure::{BUG, Failure, PREFLIGHT, USAGE};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};

/// The two programs that go into images.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    pub(crate) driver: PathBuf,
    pub(crate) stub: PathBuf,
}

/// Build both as static binaries, so that their images need no base image.
pub(crate) async fn build(session: &Session, folders: &Folders) -> Result<Binaries, Failure> {
    let triple = triple()?;
    let (key, flags) =
        static_flags(std::env::var("CARGO_ENCODED_RUSTFLAGS").ok(), std::env::var("RUSTFLAGS").ok());
    let done = Cmd::new("cargo")
        .args(["build", "--release", "--locked", "--target", &triple])
        .args(["-p", "locust-matrix", "-p", "fake-inference"])
        .arg("--target-dir")
        .path(&folders.target)
        .env(key, flags)
        .folder(&folders.root)
        .show(ShowOutput::Indented)
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

/// Where it is when it is built.
pub(crate) fn cluster(folders: &Folders) -> PathBuf {
    folders.target.join("debug").join("locust-matrix-cluster")
}

/// The driver and the stub as programs of this machine.
pub(crate) async fn build_local(session: &Session, folders: &Folders) -> Result<Binaries, Failure> {
    local(session, folders, &["locust-matrix", "fake-inference"]).await?;
    let debug = folders.target.join("debug");
    Ok(Binaries { driver: debug.join("locust-matrix"), stub: debug.join("fake-inference") })
}

/// The profile for development: what `cargo xtask` and the tests have compiled is there already, and on a
/// fresh machine it is done in less than half the time that a release takes. What the measurement depends on
/// is compiled with optimizations in this profile, too: see `profile.dev.package` in Cargo.toml.
///
/// All packages are named for each: Cargo gives the libraries that they share the features that the named ones
/// ask for, and would else compile them anew for the next.
async fn local(session: &Session, folders: &Folders, programs: &[&str]) -> Result<(), Failure> {
    let programs = programs.iter().flat_map(|program| ["--bin", program]);
    let done = Cmd::new("cargo")
        .args(["build", "--locked", "-p", "embedded", "-p", "locust-matrix", "-p", "fake-inference"])
        .args(programs)
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

/// The user's flags and ours. Cargo reads one of the two variables, the encoded one first.
fn static_flags(encoded: Option<String>, plain: Option<String>) -> (&'static str, String) {
    let (key, given, separator, ours) = match encoded {
        Some(given) => ("CARGO_ENCODED_RUSTFLAGS", given, "\x1f", "-C\x1ftarget-feature=+crt-static"),
        None => ("RUSTFLAGS", plain.unwrap_or_default(), " ", "-C target-feature=+crt-static"),
    };
    if given.is_empty() { (key, ours.to_owned()) } else { (key, [given.as_str(), ours].join(separator)) }
}

/// A build fails because of the code, or because something is not installed.
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
    fn the_user_s_flags_are_kept() {
        let (key, flags) = static_flags(None, Some("-C debuginfo=0".into()));
        assert_eq!(key, "RUSTFLAGS");
        assert_eq!(flags, "-C debuginfo=0 -C target-feature=+crt-static");
        let (key, flags) = static_flags(Some("-Cdebuginfo=0".into()), Some("ignored".into()));
        assert_eq!(key, "CARGO_ENCODED_RUSTFLAGS");
        assert_eq!(flags, "-Cdebuginfo=0\x1f-C\x1ftarget-feature=+crt-static");
    }

    #[test]
    fn a_missing_static_library_is_not_a_bug() {
        let output = "= note: /usr/bin/ld: cannot find -lc: No such file or directory";
        let (code, next) = advice(output, "x86_64-unknown-linux-gnu");
        assert_eq!(code, PREFLIGHT);
        assert!(next.contains("glibc-static"));
    }

    #[test]
    fn an_old_lock_file_is_the_user_s_to_update() {
        let output =
            "error: cannot update the lock file /w/Cargo.lock because --locked was passed to prevent this";
        let (code, next) = advice(output, "x86_64-unknown-linux-gnu");
        assert_eq!(code, USAGE);
        assert!(next.contains("cargo update --workspace"));
    }

    #[test]
    fn a_compile_error_is_one() {
        assert_eq!(advice("error[E0308]: mismatched types", "t").0, BUG);
    }
}
