//! Locust in a Python environment of its own, made once from `PyPI` with every file's hash checked.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::images;

/// The versions that can be installed, and the files that each consists of.
const LOCKS: [(&str, &str); 2] = [
    ("2.46.6", include_str!("../../locust/locust-2.46.6.lock")),
    ("2.47.0", include_str!("../../locust/locust-2.47.0.lock")),
];

/// Oldest Python that Locust runs on.
const PYTHON: (u32, u32) = (3, 11);

/// Where environments are kept between runs.
#[derive(Debug)]
pub(crate) struct Environments {
    cache: PathBuf,
    /// One at a time: workers ask side by side for the same one.
    turn: tokio::sync::Mutex<()>,
}

impl Environments {
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache, turn: tokio::sync::Mutex::default() }
    }

    /// The folder of the environment with this version of Locust, made if it is not there.
    ///
    /// # Errors
    /// In words, what is missing and what to do about it.
    pub(crate) async fn provide(&self, version: &str) -> Result<PathBuf, String> {
        let Some((_, lock)) = LOCKS.iter().find(|(known, _)| *known == version) else {
            let known: Vec<&str> = LOCKS.iter().map(|(version, _)| *version).collect();
            return Err(format!(
                "locustio/locust:{version}: this cluster installs {} only",
                known.join(" or ")
            ));
        };
        let _turn = self.turn.lock().await;
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
        let guard = File::create(self.cache.join(".lock")).map_err(problem)?;
        // Another cluster may be making it. Released when this process ends, however it ends.
        let guard = tokio::task::spawn_blocking(move || guard.lock().map(|()| guard)).await;
        let _guard = guard.map_err(std::io::Error::other).flatten().map_err(problem)?;
        if folder.join("bin/python").is_file() {
            return Ok(folder);
        }
        self.make(version, lock, &python, &folder).await?;
        Ok(folder)
    }

    /// Made beside its place and moved there when it is complete: half an environment is never seen.
    async fn make(&self, version: &str, lock: &str, python: &Python, folder: &Path) -> Result<(), String> {
        let part = folder.with_extension("part");
        let _ = std::fs::remove_dir_all(&part);
        let locked = self.cache.join(format!("locust-{version}.lock"));
        std::fs::write(&locked, lock).map_err(|error| format!("{}: {error}", locked.display()))?;
        let (part_text, locked) = (part.display().to_string(), locked.display().to_string());
        let path = std::env::var("PATH").unwrap_or_default();
        let interpreter = format!("{part_text}/bin/python");
        if let Some(uv) = images::find("uv", &path) {
            say(&format!("Locust {version}: installing with uv into {}", folder.display()));
            run(&uv, &["venv", "--quiet", "--python", &python.path, &part_text]).await?;
            let install = ["pip", "install", "--quiet", "--require-hashes", "--compile-bytecode", "--python"];
            run(&uv, &[&install[..], &[&interpreter, "-r", &locked]].concat()).await.map_err(unreachable)?;
        } else {
            say(&format!(
                "Locust {version}: installing with pip into {} (uv would be faster)",
                folder.display()
            ));
            let hint = |problem| format!("{problem}; on Debian and Ubuntu: apt install python3-venv");
            run(Path::new(&python.path), &["-m", "venv", &part_text]).await.map_err(hint)?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
            let wheels = ["--require-hashes", "--only-binary", ":all:", "-r", &locked];
            run(Path::new(&interpreter), &[&install[..], &wheels].concat()).await.map_err(unreachable)?;
        }
        // The installed script names the folder that it was made in.
        let script = "#!/bin/sh\nexec \"$(dirname \"$0\")/python\" -m locust \"$@\"\n";
        std::fs::write(part.join("bin/locust"), script)
            .and_then(|()| std::fs::rename(&part, folder))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        say(&format!("Locust {version}: installed"));
        Ok(())
    }
}

#[derive(Debug)]
struct Python {
    path: String,
    version: (u32, u32),
}

impl Python {
    /// The first on the path that is new enough.
    async fn find() -> Result<Self, String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
        let mut seen = Vec::new();
        for program in names.iter().filter_map(|name| images::find(name, &path)) {
            let question = "import sys; print(*sys.version_info[:2], sys.executable)";
            let Ok(answer) = run(&program, &["-c", question]).await else { continue };
            let Some((version, path)) = parse(&answer) else { continue };
            if version >= PYTHON {
                return Ok(Self { path, version });
            }
            seen.push(format!("{} is {}.{}", program.display(), version.0, version.1));
        }
        let found = if seen.is_empty() { "there is no python3 on PATH".to_owned() } else { seen.join(", ") };
        Err(format!("Locust needs Python {}.{} or newer, and {found}; install one", PYTHON.0, PYTHON.1))
    }
}

fn parse(answer: &str) -> Option<((u32, u32), String)> {
    let mut words = answer.trim().splitn(3, ' ');
    let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((version, words.next()?.to_owned()))
}

fn unreachable(problem: String) -> String {
    let hints = [
        "Temporary failure in name resolution",
        "error sending request",
        "Max retries",
        "NewConnectionError",
    ];
    if hints.iter().any(|hint| problem.contains(hint)) || problem.contains("No matching distribution") {
        format!("PyPI cannot be reached, and Locust comes from there: {problem}")
    } else {
        problem
    }
}

/// Progress, for people; `stdout` has the line that says that the cluster is ready.
fn say(text: &str) {
    eprintln!("{text}");
}

async fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let line = format!("{} {}", program.display(), arguments.join(" "));
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let done = done.map_err(|error| format!("`{line}`: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let output = String::from_utf8_lossy(&done.stderr);
    let mut last: Vec<&str> = output.lines().rev().filter(|line| !line.trim().is_empty()).take(4).collect();
    last.reverse();
    Err(format!("`{line}` failed ({}): {}", done.status, last.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_version_and_the_program() {
        assert_eq!(parse("3 11 /usr/bin/my python3\n"), Some(((3, 11), "/usr/bin/my python3".into())));
        assert_eq!(parse("Python 2.7"), None);
    }

    #[test]
    fn every_file_of_a_lock_has_a_hash() {
        for (version, lock) in LOCKS {
            assert!(lock.contains(&format!("\nlocust=={version} \\\n    --hash=sha256:")), "{version}");
            for line in lock.lines().filter(|line| line.contains("==")) {
                assert!(line.ends_with('\\'), "{version}: {line}");
            }
        }
    }

    #[tokio::test]
    async fn another_version_is_refused_in_words() {
        let cache = tempfile::tempdir().unwrap();
        let problem = Environments::new(cache.path().into()).provide("1.0").await.unwrap_err();
        assert!(problem.contains("2.46.6 or 2.47.0 only"), "{problem}");
    }
}
