//! Locust: installed from `PyPI` into a Python environment of its own. The hash of every file is checked.

use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::command::{self, run};
use super::python::Python;

/// The versions that can be installed, and the lock file of each: packages and hashes.
const LOCKS: [(&str, &str); 2] = [
    ("2.46.6", include_str!("../../../locust/locust-2.46.6.lock")),
    ("2.47.0", include_str!("../../../locust/locust-2.47.0.lock")),
];

/// The Python environments with Locust. They are kept between runs.
#[derive(Debug)]
pub(crate) struct Environments {
    /// The folder that contains them.
    cache: PathBuf,
    /// Held during an installation, because several pods may need the same environment at once.
    installing: tokio::sync::Mutex<()>,
}

impl Environments {
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache, installing: tokio::sync::Mutex::default() }
    }

    /// The folder of the environment with this version of Locust. Installs it if it is missing.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub(crate) async fn provide(&self, version: &str) -> Result<PathBuf, String> {
        let Some((_, lock)) = LOCKS.iter().find(|(known, _)| *known == version) else {
            let known: Vec<&str> = LOCKS.iter().map(|(version, _)| *version).collect();
            return Err(format!(
                "locustio/locust:{version}: this cluster installs {} only",
                known.join(" or ")
            ));
        };
        let _installing = self.installing.lock().await;
        let python = Python::find().await?;
        let mut hasher = DefaultHasher::new();
        (lock, &python.path).hash(&mut hasher);
        let (major, minor) = python.version;
        let folder = self
            .cache
            .join(format!("locust-{version}-py{major}.{minor}-{:08x}", hasher.finish() & 0xffff_ffff));
        if folder.join("bin/python").is_file() {
            return Ok(folder);
        }
        let problem = |error: std::io::Error| format!("{}: {error}", self.cache.display());
        std::fs::create_dir_all(&self.cache).map_err(problem)?;
        // Not truncated: the folder may be one in which another program keeps a file of this name.
        let lock_file = OpenOptions::new().append(true).create(true).open(self.cache.join(".lock"));
        let lock_file = lock_file.map_err(problem)?;
        // Another cluster may be installing the same environment. The system releases the lock when this
        // process ends.
        let locked = tokio::task::spawn_blocking(move || lock_file.lock().map(|()| lock_file)).await;
        let _locked = locked.map_err(std::io::Error::other).flatten().map_err(problem)?;
        if folder.join("bin/python").is_file() {
            return Ok(folder);
        }
        self.install(version, lock, &python, &folder).await?;
        Ok(folder)
    }

    /// Installs into a temporary folder and renames it at the end, so that nobody uses half an environment.
    async fn install(&self, version: &str, lock: &str, python: &Python, folder: &Path) -> Result<(), String> {
        let part = folder.with_extension("part");
        let _ = std::fs::remove_dir_all(&part);
        let locked = self.cache.join(format!("locust-{version}.lock"));
        std::fs::write(&locked, lock).map_err(|error| format!("{}: {error}", locked.display()))?;
        let (part_text, locked) = (part.display().to_string(), locked.display().to_string());
        let path = std::env::var("PATH").unwrap_or_default();
        let interpreter = format!("{part_text}/bin/python");
        if let Some(uv) = command::find("uv", &path) {
            report(&format!("Locust {version}: installing with uv into {}", folder.display()));
            run(&uv, &["venv", "--quiet", "--python", &python.path, &part_text]).await?;
            let install = ["pip", "install", "--quiet", "--require-hashes", "--compile-bytecode", "--python"];
            run(&uv, &[&install[..], &[&interpreter, "-r", &locked]].concat()).await.map_err(unreachable)?;
        } else {
            report(&format!(
                "Locust {version}: installing with pip into {} (uv would be faster)",
                folder.display()
            ));
            let hint = |problem| format!("{problem}; on Debian and Ubuntu: apt install python3-venv");
            run(Path::new(&python.path), &["-m", "venv", &part_text]).await.map_err(hint)?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
            let wheels = ["--require-hashes", "--only-binary", ":all:", "-r", &locked];
            run(Path::new(&interpreter), &[&install[..], &wheels].concat()).await.map_err(unreachable)?;
        }
        // The script that pip installs contains the path of the temporary folder.
        let script = "#!/bin/sh\nexec \"$(dirname \"$0\")/python\" -m locust \"$@\"\n";
        std::fs::write(part.join("bin/locust"), script)
            .and_then(|()| std::fs::rename(&part, folder))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        report(&format!("Locust {version}: installed"));
        Ok(())
    }
}

/// Explains an error that looks like a missing connection to `PyPI`.
fn unreachable(problem: String) -> String {
    let hints = [
        "Temporary failure in name resolution",
        "error sending request",
        "Max retries",
        "NewConnectionError",
    ];
    if hints.iter().any(|hint| problem.contains(hint)) || problem.contains("No matching distribution") {
        format!("PyPI cannot be reached to install Locust: {problem}")
    } else {
        problem
    }
}

/// Reports progress on standard error. Standard output is only for the line that says that the cluster is
/// ready.
fn report(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_in_a_lock_file_has_a_hash() {
        for (version, lock) in LOCKS {
            assert!(lock.contains(&format!("\nlocust=={version} \\\n    --hash=sha256:")), "{version}");
            for line in lock.lines().filter(|line| line.contains("==")) {
                assert!(line.ends_with('\\'), "{version}: {line}");
            }
        }
    }

    #[tokio::test]
    async fn an_unknown_version_is_refused_with_the_known_versions() {
        let cache = tempfile::tempdir().unwrap();
        let problem = Environments::new(cache.path().into()).provide("1.0").await.unwrap_err();
        assert!(problem.contains("2.46.6 or 2.47.0 only"), "{problem}");
    }
}
