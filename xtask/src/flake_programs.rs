//! The programs of the images, built by Nix. In the shell of `nix develop`, images have what the flake's packages have.

use std::path::{Path, PathBuf};

use crate::failure::{BUG, Failure};
use crate::folders::Folders;
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};

/// The shells of the flake set it to `nix`. With any other value, or none, Cargo builds the programs.
const BUILDER: &str = "LOCUST_MATRIX_BUILDER";
/// The path of nix, if it is not on PATH.
pub(crate) const NIX: &str = "LOCUST_MATRIX_NIX";
/// The folder that has Nix's store as `nix/store`, if that is not `/`.
pub(crate) const STORE: &str = "LOCUST_MATRIX_NIX_ROOT";

/// Whether Nix builds the programs of the images.
pub(crate) fn wanted() -> bool {
    std::env::var(BUILDER).is_ok_and(|builder| builder == "nix")
}

/// The path of each program, in the given order. A package is named like its program, with `-static` behind it.
pub(crate) async fn build(
    session: &Session,
    folders: &Folders,
    programs: &[&str],
) -> Result<Vec<PathBuf>, Failure> {
    let nix = std::env::var(NIX).ok().filter(|nix| !nix.is_empty()).unwrap_or_else(|| "nix".into());
    let root = std::env::var_os(STORE).map_or_else(|| PathBuf::from("/"), PathBuf::from);
    build_with(session, &folders.root, Cmd::new(nix), &root, programs).await
}

async fn build_with(
    session: &Session,
    flake: &Path,
    nix: Cmd,
    root: &Path,
    programs: &[&str],
) -> Result<Vec<PathBuf>, Failure> {
    let packages = programs.iter().map(|program| format!("{}#{program}-static", flake.display()));
    let call = nix.args(["build", "--no-link", "--print-out-paths", "--print-build-logs"]);
    let done = call.args(packages).show(ShowOutput::Indented).run(session).await?;
    let next = format!("read what nix says above; `{BUILDER}=cargo` lets Cargo build the images instead");
    let done = done.require_success(session, BUG, next)?;
    let built: Vec<_> = done.stdout.lines().map(|path| root.join(path.trim_start_matches('/'))).collect();
    let find = |program: &&str| {
        let mut paths = built.iter().map(|path| path.join("bin").join(program));
        paths
            .find(|path| path.is_file())
            .ok_or_else(|| Failure::bug(format!("nix build: no {program} in {built:?}")))
    };
    programs.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::run::stop::StopRequests;

    /// A nix that builds nothing, and prints the paths of the packages that it is asked for, the last one first.
    fn nix(folder: &Path) -> Cmd {
        let script = "#!/bin/sh\nshift 4\nfor package; do out=\"${package##*#}\n$out\"; done\n\
                      for name in $out; do echo /nix/store/$name; done\n";
        let path = folder.join("nix.sh");
        std::fs::write(&path, script).unwrap();
        Cmd::new("sh").path(&path)
    }

    async fn built(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
        let session =
            Session::open(Arc::new(StopRequests::default()), &folder.join("commands.log"), false).unwrap();
        build_with(&session, Path::new("/flake"), nix(folder), folder, &["one", "two"]).await
    }

    #[tokio::test]
    async fn each_program_is_found_in_its_package_in_whatever_order_nix_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let programs =
            ["one", "two"].map(|name| folder.path().join(format!("nix/store/{name}-static/bin/{name}")));
        for program in &programs {
            std::fs::create_dir_all(program.parent().unwrap()).unwrap();
            std::fs::write(program, b"").unwrap();
        }
        assert_eq!(built(folder.path()).await.unwrap(), programs);
        std::fs::remove_file(&programs[1]).unwrap();
        let failure = built(folder.path()).await.unwrap_err();
        assert!(failure.what.contains("no two"), "{}", failure.what);
    }
}
