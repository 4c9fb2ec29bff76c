//! versions.toml, and the files that are compared with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;

/// versions.toml, beyond what the cluster needs of it.
#[derive(Debug, Deserialize)]
pub(super) struct Pins {
    pub(super) kind: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) locust: Locust,
    pub(super) actions: BTreeMap<String, Action>,
    pub(super) gitlab: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Locust {
    pub(super) version: String,
    pub(super) image: String,
    pub(super) wheel: String,
    pub(super) also_tested: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Action {
    pub(super) version: String,
    pub(super) commit: String,
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, "read", &error))
}

/// The files with one of these endings in a folder and below it.
pub(super) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let failure = |error: std::io::Error| Failure::file(folder, "read", &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if path.is_dir() {
            found.extend(files(&path, endings)?);
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
