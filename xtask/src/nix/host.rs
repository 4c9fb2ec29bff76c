//! The stand-in for nixpkgs: as notes, or with this machine's tools.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::Cmd;
use crate::toolchain;

/// Folders that hold a machine's tools and libraries.
const SYSTEM: [&str; 6] = ["/bin", "/usr", "/lib", "/lib64", "/etc/alternatives", "/etc/ssl"];

#[derive(Debug)]
pub(super) struct StandIn {
    pub(super) folder: PathBuf,
    /// What the sandbox of a build shows of this machine.
    pub(super) sandbox_paths: Vec<String>,
}

impl StandIn {
    /// Packages are notes of their arguments: they are evaluated, and not built.
    pub(super) fn of_notes(folders: &Folders) -> Self {
        Self { folder: folders.root.join("nix/stub"), sandbox_paths: Vec::new() }
    }

    /// Packages of this machine's system are built with this machine's tools. `None`: these come from Nix
    /// themselves, as in the shell of the flake, and the sandbox cannot show all that they need.
    pub(super) async fn of_this_machine(
        session: &Session,
        folders: &Folders,
    ) -> Result<Option<Self>, Failure> {
        let triple = toolchain::triple()?;
        let asked = Cmd::new("rustc").args(["--print", "sysroot"]).folder(&folders.root).run(session).await?;
        let asked =
            asked.require_success(session, PREFLIGHT, "install the toolchain of rust-toolchain.toml")?;
        let sysroot = PathBuf::from(asked.stdout.trim());
        if sysroot.starts_with("/nix/store") {
            return Ok(None);
        }
        let cargo_home = cargo_home()?;
        let target = folder(folders).join("target");
        for part in ["debug", &format!("{triple}/release")] {
            seed(&folders.target.join(part), &target.join(part))?;
        }
        let copy = folder(folders).join("stub");
        folders::create(&copy)?;
        let source = folders.root.join("nix/stub");
        for file in files(&source)? {
            let bytes = std::fs::read(&file).map_err(|error| Failure::file(&file, "read", &error))?;
            folders::write(&copy.join(file.file_name().unwrap_or_default()), &bytes)?;
        }
        let host = describe(&triple, &sysroot, &cargo_home, &target);
        folders::write(&copy.join("host.nix"), host.as_bytes())?;
        let mut sandbox_paths: Vec<String> =
            SYSTEM.iter().filter(|path| Path::new(path).exists()).map(|path| (*path).to_owned()).collect();
        sandbox_paths.extend([&sysroot, &cargo_home, &target].map(|path| path.display().to_string()));
        Ok(Some(Self { folder: copy, sandbox_paths }))
    }
}

/// Where the store, the copy of the stand-in and what its builds have compiled are.
pub(super) fn folder(folders: &Folders) -> PathBuf {
    folders.target.join("xtask-nix")
}

/// The content of host.nix.
fn describe(triple: &str, sysroot: &Path, cargo_home: &Path, target: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("{\n");
    let architecture = std::env::consts::ARCH;
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", sysroot.join("bin").display());
    for (key, value) in [
        ("system", format!("{architecture}-linux")),
        ("architecture", toolchain::image_architecture().to_owned()),
        ("triple", triple.to_owned()),
        ("path", path),
        ("cargoHome", cargo_home.display().to_string()),
        ("target", target.display().to_string()),
    ] {
        let _ = writeln!(text, "  {key} = {};", string(&value));
    }
    text.push_str("  env = {\n");
    // With other values, cargo would compile every crate again.
    for (key, value) in std::env::vars().filter(|(key, _)| key.starts_with("CARGO_PROFILE_")) {
        let _ = writeln!(text, "    {key} = {};", string(&value));
    }
    text.push_str("    CARGO_INCREMENTAL = \"0\";\n  };\n}\n");
    text
}

/// A string of the Nix language.
fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace("${", "\\${"))
}

fn cargo_home() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.filter(|home| home.join("registry").is_dir()).ok_or_else(|| {
        Failure::preflight("the crates of Cargo.lock are not on this machine", "run: cargo fetch --locked")
    })
}

/// Lets the stand-in's builds use the crates of the registry that this machine's own builds have compiled. Programs
/// and libraries of the workspace stay apart, because the two builds have different paths of their source.
fn seed(from: &Path, to: &Path) -> Result<(), Failure> {
    for part in ["deps", "build", ".fingerprint"] {
        if from.join(part).is_dir() && !to.join(part).exists() {
            link_all(&from.join(part), &to.join(part)).map_err(|error| Failure::file(to, "fill", &error))?;
        }
    }
    Ok(())
}

const OWN: [&str; 8] = [
    "locust_matrix",
    "locust-matrix",
    "fake_inference",
    "fake-inference",
    "embedded",
    "records",
    "xtask",
    "e2e",
];

/// Hard links, because copies would be gigabytes. Cargo replaces such files, and does not write into them.
fn link_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bare = name.strip_prefix("lib").unwrap_or(&name);
        if OWN.iter().any(|own| bare.starts_with(own)) {
            continue;
        }
        let target = to.join(&name);
        if path.is_dir() {
            link_all(&path, &target)?;
        } else {
            std::fs::hard_link(&path, &target)?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failure = |error: std::io::Error| Failure::file(folder, "read", &error);
    let entries = std::fs::read_dir(folder).map_err(failure)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failure)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_cannot_end_early_or_begin_an_expression() {
        assert_eq!(string(r#"a"b${c}\d"#), r#""a\"b\${c}\\d""#);
    }

    #[test]
    fn crates_of_the_registry_are_linked_and_the_workspace_s_own_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("deps")).unwrap();
        for name in ["libserde-1.rlib", "librecords-2.rlib", "xtask-3", "e2e-4.d"] {
            std::fs::write(from.join("deps").join(name), b"").unwrap();
        }
        seed(&from, &to).unwrap();
        let linked: Vec<_> = files(&to.join("deps")).unwrap();
        assert_eq!(linked, [to.join("deps/libserde-1.rlib")]);
    }
}
