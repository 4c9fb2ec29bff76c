//! Plants mistakes in copies of the flake, one at a time, and checks that each of them is found.

use std::io::Write as _;
use std::path::PathBuf;

use super::evaluate;
use super::host::{StandIn, folder};
use super::tool::Nix;
use crate::failure::{BUG, Failure};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::tracked;

/// File, text, and the wrong text in its place.
type Mistake = (&'static str, &'static str, &'static str);

const MISTAKES: [Mistake; 24] = [
    // A name that nixpkgs does not have.
    ("nix/shell.nix", "pkgs.kubectl\n", "pkgs.kubectll\n"),
    ("nix/images.nix", "pkgs.python3Packages.msgpack\n", "pkgs.python3Packages.msgpackk\n"),
    // An argument that a function of nixpkgs does not know.
    ("nix/images.nix", "contents = [pkgs.cacert]", "content = [pkgs.cacert]"),
    ("nix/images.nix", "compressor = \"none\"", "compresor = \"none\""),
    ("nix/packages.nix", "cargoLock.lockFile", "cargoLock.lockfile"),
    (
        "nix/packages.nix",
        "cargoBuildFlags = [\"--package\" package \"--bin\" name];\n      meta",
        "cargoBuildFlag = [];\n      meta",
    ),
    ("nix/shell.nix", "      packages =\n", "      pkgs =\n"),
    // A key of an image's configuration that Docker would ignore.
    ("nix/images.nix", "Entrypoint = [", "EntryPoint = ["),
    // The file set of the builds lacks a member of the workspace.
    ("nix/packages.nix", "      ../records\n", ""),
    ("nix/packages.nix", "      ../xtask\n", "      ../xtasks\n"),
    // An image that starts another program, or none.
    ("nix/images.nix", "${python}/bin/locust", "${python}/bin/locusts"),
    (
        "nix/images.nix",
        "\"locust-driver\" programs.linux.locust-matrix-static",
        "\"locust-driver\" programs.linux.fake-inference-static",
    ),
    (
        "nix/images.nix",
        "own \"fake-inference\" programs.linux.fake-inference-static",
        "own \"fake-inference\" programs.everywhere.fake-inference",
    ),
    // An image that kind cannot load, or whose pods `runAsNonRoot` refuses.
    ("nix/images.nix", "compressor = \"none\"", "compressor = \"gz\""),
    ("nix/images.nix", "User = \"1000:1000\"", "User = \"locust\""),
    // Versions that disagree.
    ("rust-toolchain.toml", "channel = \"1.95.0\"", "channel = \"1.96.0\""),
    ("versions.toml", "\"0.31.0\" = \"kindest/node:v1.35.0", "\"0.31.9\" = \"kindest/node:v1.35.0"),
    ("versions.toml", "version = \"2.46.6\"", "version = \"2.47.0\""),
    ("Cargo.toml", "rust-version = \"1.95\"", "rust-version = \"1.99\""),
    // A program that does not exist, and an app that is none.
    (
        "nix/packages.nix",
        "program \"embedded\" \"locust-matrix-cluster\"",
        "program \"embedded\" \"locust-matrix-clusters\"",
    ),
    ("nix/matrix.nix", "type = \"app\"", "type = \"application\""),
    // A crate that is not in Cargo.lock, a syntax error, and a tool that the shell lacks.
    ("fake-inference/Cargo.toml", "[dependencies]\n", "[dependencies]\nnonesuch = \"1\"\n"),
    ("flake.nix", "output \"checks\";", "output \"checks\""),
    ("nix/shell.nix", "          pkgs.kind\n", ""),
];

pub(super) async fn check(
    session: &Session,
    folders: &Folders,
    nix: &Nix,
    stand_in: &StandIn,
) -> Result<(), Failure> {
    let copy = folder(folders).join("mistakes");
    // The flake sees nothing but what git tracks.
    tracked::copy(session, folders, &copy).await?;
    let flake = format!("path:{}", copy.display());
    let found = evaluate::problems(session, nix, &flake, stand_in).await?;
    if let Some(problem) = found.first() {
        return Err(Failure::new(
            BUG,
            format!("without a mistake: {problem}"),
            "make `cargo xtask nix check` pass",
        ));
    }
    let mut missed = 0;
    for (number, (file, right, wrong)) in MISTAKES.iter().enumerate() {
        let path = copy.join(file);
        let good = read(&path)?;
        if good.matches(right).count() == 0 {
            return Err(Failure::bug(format!(
                "{file}: mistake {number} cannot be planted: {right:?} is not there"
            )));
        }
        folders::write(&path, good.replacen(right, wrong, 1).as_bytes())?;
        let found = evaluate::problems(session, nix, &flake, stand_in).await;
        folders::write(&path, good.as_bytes())?;
        let found = found?;
        missed += usize::from(found.is_empty());
        let said = found.first().map_or("NOT FOUND", String::as_str);
        let said: String = said.chars().take(150).collect();
        let _ = writeln!(std::io::stdout(), "{file}: {:?}: {said}", wrong.trim());
    }
    let _ = std::fs::remove_dir_all(&copy);
    let total = MISTAKES.len();
    let _ = writeln!(std::io::stdout(), "{} of {total} mistakes were found", total - missed);
    if missed == 0 { Ok(()) } else { Err(Failure::silent(BUG)) }
}

fn read(path: &PathBuf) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, "read", &error))
}
