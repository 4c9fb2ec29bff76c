//! Compares versions.toml with every file that names a version.

use std::path::Path;

use super::file::{Pins, files, read};
use crate::failure::Failure;

/// The pairs of a place and what is wrong there, as lines.
pub(super) fn problems(root: &Path) -> Result<Vec<String>, Failure> {
    let text = read(&root.join("versions.toml"))?;
    let pins: Pins = match toml::from_str(&text) {
        Ok(pins) => pins,
        Err(error) => return Ok(vec![format!("versions.toml: {error}")]),
    };
    let mut problems = Vec::new();
    locust(root, &pins, &mut problems)?;
    kind(root, &pins, &mut problems)?;
    workflows(root, &pins, &mut problems)?;
    rust(root, &mut problems)?;
    release(root, &mut problems)?;
    owner(root, &mut problems)?;
    Ok(problems)
}

/// Files in which people read or machines use a version of Locust. Tests have their own examples.
fn locust(root: &Path, pins: &Pins, problems: &mut Vec<String>) -> Result<(), Failure> {
    let version = &pins.locust.version;
    if !pins.locust.image.starts_with(&format!("locustio/locust:{version}@sha256:")) {
        problems.push(format!("versions.toml: the image {} is not of Locust {version}", pins.locust.image));
    }
    if !is_hash(&pins.locust.wheel) {
        problems.push(format!("versions.toml: {} is no hash of a wheel", pins.locust.wheel));
    }
    for version in pins.locust.also_tested.iter().chain([version]) {
        let path = format!("embedded/locust/locust-{version}.lock");
        let pinned = read(&root.join(&path)).is_ok_and(|lock| {
            lock.lines().any(|line| line.trim_end_matches(['\\', ' ']) == format!("locust=={version}"))
        });
        if !pinned {
            problems.push(format!("{path}: does not pin locust=={version}"));
        }
    }
    let mut places = files(&root.join("manifests"), &[".yaml"])?;
    places.extend(documents(root)?);
    for path in places {
        let strict = path.extension().is_some_and(|extension| extension == "yaml");
        for (number, line) in read(&path)?.lines().enumerate() {
            for found in after(line, "locustio/locust:").chain(after(line, "Locust ")) {
                let known = found == *version || (!strict && pins.locust.also_tested.contains(&found));
                if !known {
                    problems.push(format!("{}: Locust {found}, not {version}", place(root, &path, number)));
                }
            }
        }
    }
    Ok(())
}

/// The tables of node images, the kind of the flake's shell, and the oldest kind in the documents.
fn kind(root: &Path, pins: &Pins, problems: &mut Vec<String>) -> Result<(), Failure> {
    let rows = |table: &str| pins.kind.get(table).into_iter().flat_map(|rows| rows.iter());
    for table in ["node", "node-cgroup-v1"] {
        for (kind, image) in rows(table) {
            let digest = image.split_once("@sha256:").map(|(_, digest)| digest);
            if !digest.is_some_and(|digest| digest.len() == 64 && is_hexadecimal(digest)) {
                problems.push(format!("versions.toml: [kind.{table}] {kind}: {image} has no digest"));
            }
        }
        if rows(table).map(|row| row.0).ne(rows("node").map(|row| row.0)) {
            problems
                .push(format!("versions.toml: [kind.{table}] has other releases of kind than [kind.node]"));
        }
    }
    let stub: toml::Table = match read(&root.join("nix/stub/versions.toml"))?.parse() {
        Ok(table) => table,
        Err(error) => {
            problems.push(format!("nix/stub/versions.toml: {error}"));
            return Ok(());
        }
    };
    let shell = stub.get("kind").and_then(toml::Value::as_str).unwrap_or_default();
    if !rows("node").any(|(kind, _)| kind == shell) {
        problems.push(format!("versions.toml: [kind.node] has no image for kind {shell} of nixpkgs"));
    }
    let oldest = rows("node").map(|row| row.0.as_str()).min_by_key(|kind| numbers(kind)).unwrap_or_default();
    let oldest = oldest.rsplit_once(".0").map_or(oldest, |(short, _)| short);
    for path in documents(root)? {
        for (number, line) in read(&path)?.lines().enumerate() {
            let floors = after(line, "kind ").filter(|version| line.contains(&format!("{version} or later")));
            for found in floors.filter(|found| found != oldest) {
                problems.push(format!(
                    "{}: kind {found}, but the oldest is {oldest}",
                    place(root, &path, number)
                ));
            }
        }
    }
    Ok(())
}

/// Every action is one of versions.toml, by its commit and with its version as a comment; none is there in vain.
fn workflows(root: &Path, pins: &Pins, problems: &mut Vec<String>) -> Result<(), Failure> {
    let mut unused: Vec<_> = pins.actions.keys().collect();
    for path in files(&root.join(".github"), &[".yml", ".yaml"])? {
        for (number, line) in read(&path)?.lines().enumerate() {
            let Some(used) = line.trim().trim_start_matches("- ").strip_prefix("uses: ") else { continue };
            if used.starts_with("./") {
                continue;
            }
            let (action, commit) = used.split_once('@').unwrap_or((used, ""));
            unused.retain(|name| *name != action);
            let expected = pins.actions.get(action).map(|pin| format!("{} # {}", pin.commit, pin.version));
            match expected {
                None => {
                    problems
                        .push(format!("{}: {action} is not in versions.toml", place(root, &path, number)));
                }
                Some(expected) if commit != expected => {
                    problems
                        .push(format!("{}: {action}@{commit}, not @{expected}", place(root, &path, number)));
                }
                Some(_) => {}
            }
        }
    }
    problems
        .extend(unused.iter().map(|name| format!("versions.toml: [actions] {name} is used by no workflow")));
    for (name, pin) in &pins.actions {
        if pin.commit.len() != 40 || !is_hexadecimal(&pin.commit) {
            problems.push(format!("versions.toml: [actions] {name}: {} is no commit", pin.commit));
        }
    }
    let mut unused: Vec<_> = pins.gitlab.values().collect();
    for path in [".gitlab-ci.yml", "templates/capacity.yml"].map(|path| root.join(path)) {
        for (number, line) in read(&path)?.lines().enumerate() {
            let line = line.trim().trim_start_matches("- ");
            let image = ["image: ", "name: "].iter().find_map(|key| line.strip_prefix(key));
            // Names of artifacts and of services have no tag.
            let Some(image) = image.filter(|image| image.contains(':')) else { continue };
            unused.retain(|known| *known != image);
            if !pins.gitlab.values().any(|known| known == image) {
                problems.push(format!("{}: {image} is not in versions.toml", place(root, &path, number)));
            }
        }
    }
    problems.extend(unused.iter().map(|image| format!("versions.toml: [gitlab] {image} is used by no job")));
    Ok(())
}

/// The toolchain, the oldest Rust that a package accepts, and the compiler of nixpkgs.
fn rust(root: &Path, problems: &mut Vec<String>) -> Result<(), Failure> {
    let value = |path: &str, keys: &[&str]| -> Result<String, Failure> {
        let table: toml::Table = read(&root.join(path))?.parse().unwrap_or_default();
        let mut value = Some(&toml::Value::Table(table)).cloned();
        for key in keys {
            value = value.and_then(|value| value.get(*key).cloned());
        }
        Ok(value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default())
    };
    let channel = value("rust-toolchain.toml", &["toolchain", "channel"])?;
    let oldest = value("Cargo.toml", &["workspace", "package", "rust-version"])?;
    if !channel.starts_with(&format!("{oldest}.")) {
        problems.push(format!("Cargo.toml: rust-version {oldest}, but rust-toolchain.toml has {channel}"));
    }
    let mut places = documents(root)?;
    places.push(root.join("nix/consumer/flake.nix"));
    for path in places {
        for (number, line) in read(&path)?.lines().enumerate().filter(|(_, line)| line.contains("or newer")) {
            for found in after(line, "rustc ").filter(|found| *found != oldest) {
                problems.push(format!(
                    "{}: rustc {found}, but the oldest is {oldest}",
                    place(root, &path, number)
                ));
            }
        }
    }
    for tool in ["rustc", "cargo", "clippy", "rustfmt"] {
        let found = value("nix/stub/versions.toml", &[tool])?;
        if found != channel {
            problems.push(format!(
                "nix/stub/versions.toml: {tool} {found}, but rust-toolchain.toml has {channel}"
            ));
        }
    }
    Ok(())
}

/// The version of the workspace has its entry in the change log.
fn release(root: &Path, problems: &mut Vec<String>) -> Result<(), Failure> {
    let table: toml::Table = read(&root.join("Cargo.toml"))?.parse().unwrap_or_default();
    let package = table.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("version")?.as_str()).unwrap_or_default();
    let log = read(&root.join("CHANGELOG.md"))?;
    if !log.lines().any(|line| line.starts_with(&format!("## {version}"))) {
        problems.push(format!("CHANGELOG.md: has no entry for {version}"));
    }
    Ok(())
}

/// Nobody knows where a reader has this repository. The placeholder is one that GitHub, GitLab and Nix refuse, so that
/// nobody runs a stranger's copy by mistake.
fn owner(root: &Path, problems: &mut Vec<String>) -> Result<(), Failure> {
    let mut places = documents(root)?;
    for folder in [".github", "templates", "nix/consumer"] {
        places.extend(files(&root.join(folder), &[".yml", ".nix"])?);
    }
    for path in places {
        for (number, line) in read(&path)?.lines().enumerate() {
            let marks = ["github:", "uses: ", "component: ", "git+https:", "--repo "];
            if !marks.iter().any(|mark| line.contains(mark)) {
                continue;
            }
            for (at, _) in line.match_indices("/locust-matrix") {
                let account = line[..at].rsplit([':', '/', ' ', '\'', '"']).next().unwrap_or_default();
                if account != "<owner>" {
                    let place = place(root, &path, number);
                    problems.push(format!("{place}: the account is {account}; write <owner>"));
                }
            }
        }
    }
    Ok(())
}

fn documents(root: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let mut documents = files(&root.join("docs"), &[".md"])?;
    documents.push(root.join("README.md"));
    Ok(documents)
}

/// Every version, such as `2.46.6`, directly behind these words.
fn after<'a>(line: &'a str, words: &'a str) -> impl Iterator<Item = String> + 'a {
    line.match_indices(words).filter_map(move |(at, _)| {
        let rest = &line[at + words.len()..];
        let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let version = version.trim_end_matches('.').to_owned();
        (version.contains('.')).then_some(version)
    })
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A hash as Nix writes it.
fn is_hash(text: &str) -> bool {
    text.len() == 51 && text.starts_with("sha256-") && text.ends_with('=')
}

fn place(root: &Path, path: &Path, line: usize) -> String {
    format!("{}:{}", path.strip_prefix(root).unwrap_or(path).display(), line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
    }

    /// The problems of a copy of the repository in which one text is replaced.
    fn with(file: &str, right: &str, wrong: &str) -> Vec<String> {
        let copy = tempfile::tempdir().unwrap();
        let folders = ["docs", "manifests", ".github", "nix", "templates", "embedded/locust"];
        let mut paths: Vec<_> =
            folders.iter().flat_map(|folder| files(&root().join(folder), &[""]).unwrap()).collect();
        for file in [
            "versions.toml",
            "Cargo.toml",
            "rust-toolchain.toml",
            "README.md",
            "CHANGELOG.md",
            ".gitlab-ci.yml",
        ] {
            paths.push(root().join(file));
        }
        for path in paths {
            let to = copy.path().join(path.strip_prefix(root()).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&path, &to).unwrap();
        }
        let path = copy.path().join(file);
        let text = read(&path).unwrap();
        assert!(text.contains(right), "{file}: {right}");
        std::fs::write(&path, text.replacen(right, wrong, 1)).unwrap();
        problems(copy.path()).unwrap()
    }

    #[test]
    fn every_file_agrees_with_versions_toml() {
        assert_eq!(problems(&root()).unwrap(), [""; 0]);
    }

    #[test]
    fn each_version_that_disagrees_is_found() {
        for (file, right, wrong, expected) in [
            (
                "manifests/base/locust-worker.yaml",
                "locust:2.46.6",
                "locust:2.47.0",
                "Locust 2.47.0, not 2.46.6",
            ),
            ("README.md", "Locust 2.46.6", "Locust 2.40.1", "README.md:"),
            ("versions.toml", "version = \"2.46.6\"", "version = \"2.47.0\"", "is not of Locust 2.47.0"),
            (
                "versions.toml",
                "also-tested = [\"2.47.0\"]",
                "also-tested = [\"2.48.0\"]",
                "does not pin locust==2.48.0",
            ),
            ("versions.toml", "3d3c42e5", "3d3c42e6", "actions/checkout@3d3c42e5"),
            (".gitlab-ci.yml", "nixos/nix:", "nixos/nix:1", "is not in versions.toml"),
            ("templates/capacity.yml", "nixos/nix:", "nixos/nix:1", "is not in versions.toml"),
            ("docs/nix.md", "github:<owner>/", "github:shop/", "the account is shop"),
            ("docs/ci.md", "uses: <owner>/", "uses: OWNER/", "the account is OWNER"),
            ("nix/consumer/flake.nix", "\"github:<owner>/", "\"github:OWNER/", "the account is OWNER"),
            ("rust-toolchain.toml", "1.95.0", "1.96.0", "Cargo.toml: rust-version 1.95"),
            (
                "docs/nix.md",
                "rustc 1.95 or newer",
                "rustc 1.85 or newer",
                "rustc 1.85, but the oldest is 1.95",
            ),
            ("CHANGELOG.md", "## 0.1.0", "## 0.0.9", "has no entry for 0.1.0"),
            ("nix/stub/versions.toml", "kind = \"0.31.0\"", "kind = \"0.31.7\"", "no image for kind 0.31.7"),
        ] {
            let found = with(file, right, wrong);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{file}: {wrong}: {found:?}");
        }
    }

    #[test]
    fn a_version_is_read_up_to_its_end() {
        let found: Vec<_> = after("with Locust 2.46.6; Locust 2 and Locust 3.1.", "Locust ").collect();
        assert_eq!(found, ["2.46.6", "3.1"]);
    }
}
