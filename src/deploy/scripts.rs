//! The user's own locustfile, alone or with the modules and data of its folder. They go along in the ConfigMap of the
//! scripts, so that pods find them beside the locustfile as on the user's machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use crate::exit::{Error, Result};

/// The name of the locustfile in the pods.
const LOCUSTFILE: &str = "locustfile.py";
/// The most that a ConfigMap holds, bytes.
const MOST: usize = 1024 * 1024;
/// Files and folders that are no part of a test script.
const NEVER: [&str; 1] = ["__pycache__"];

/// The files of a test script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts {
    /// What was given, for messages.
    given: PathBuf,
    /// Contents by the path in the pods' script folder.
    files: BTreeMap<String, Vec<u8>>,
    /// Modules and files that the locustfile names, and that stay behind.
    left_behind: Vec<String>,
}

impl Scripts {
    /// Reads a locustfile, or a folder with a `locustfile.py` and everything that it needs.
    ///
    /// # Errors
    /// Exit code 2: it cannot be read, has no locustfile, or a name in it is not UTF-8.
    pub fn read(given: &Path) -> Result<Self> {
        let mut scripts = Self { given: given.to_owned(), ..Self::default() };
        if given.is_dir() {
            scripts.add_folder(given, "")?;
            if !scripts.files.contains_key(LOCUSTFILE) {
                return Err(refused(given, "there is no locustfile.py in this folder")
                    .next("name the file with the users locustfile.py, or give the file itself"));
            }
        } else {
            let text = std::fs::read(given).map_err(|error| unreadable(given, &error))?;
            scripts.left_behind = left_behind(given, &String::from_utf8_lossy(&text));
            scripts.files.insert(LOCUSTFILE.to_owned(), text);
        }
        Ok(scripts)
    }

    /// What the user should know before anything is applied; `None` if there is nothing.
    pub fn note(&self) -> Option<String> {
        let folder = self.given.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        (!self.left_behind.is_empty()).then(|| {
            format!(
                "{} uses {}, which lie beside it and are not shipped; --locustfile {} ships the whole folder (its \
                 locustfile must be named locustfile.py)",
                self.given.display(),
                self.left_behind.join(", "),
                folder.display()
            )
        })
    }

    fn add_folder(&mut self, folder: &Path, above: &str) -> Result<()> {
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        for entry in entries.map_err(|error| unreadable(folder, &error))? {
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(refused(&path, "its name is not UTF-8, which a ConfigMap cannot hold")
                    .next("rename it, or keep it outside of this folder"));
            };
            let ends_with = |ending: &str| path.extension().is_some_and(|own| own == ending);
            let is_ours = above.is_empty() && name.starts_with("locust_matrix") && ends_with("py");
            if name.starts_with('.') || ends_with("pyc") || NEVER.contains(&name) || is_ours {
                continue;
            }
            let kind = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if kind.is_dir() && is_link {
                return Err(refused(&path, "it links to a folder")
                    .next("copy the files here, or link to each of them"));
            }
            let inside = format!("{above}{name}");
            if kind.is_dir() {
                self.add_folder(&path, &format!("{inside}/"))?;
            } else if kind.is_file() {
                // Not more than could be shipped: a folder may hold a large recording beside the script.
                if usize::try_from(kind.len()).map_or(true, |length| length > MOST) {
                    return Err(too_large(&self.given, &format!("{inside} alone has {} bytes", kind.len())));
                }
                let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
                self.files.insert(inside, bytes);
            } else {
                return Err(refused(&path, "it is neither a file nor a folder")
                    .next("keep it outside of this folder"));
            }
        }
        Ok(())
    }

    /// Puts the files into the ConfigMap of the scripts, in place of its locustfile. Returns the volume's list of keys
    /// and paths; `None` if each key is the path.
    ///
    /// # Errors
    /// Exit code 2: it would be larger than a ConfigMap may be.
    pub(super) fn put_into(&self, scripts: &mut Value) -> Result<Option<Value>> {
        let mut keys = BTreeSet::new();
        let ours: Vec<String> =
            scripts["data"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        keys.extend(ours.iter().filter(|name| *name != LOCUSTFILE).cloned());
        let mut items: Vec<(String, String)> = keys.iter().map(|key| (key.clone(), key.clone())).collect();
        for (path, bytes) in &self.files {
            let key = unique_key(path, &keys);
            match std::str::from_utf8(bytes) {
                Ok(text) => scripts["data"][&key] = json!(text),
                Err(_) => scripts["binaryData"][&key] = json!(ByteString(bytes.clone())),
            }
            if path == LOCUSTFILE && scripts["binaryData"].get(&key).is_some() {
                // The locustfile of the manifests, whose place it takes.
                scripts["data"].as_object_mut().and_then(|data| data.remove(&key));
            }
            keys.insert(key.clone());
            items.push((key, path.clone()));
        }
        self.check_size(scripts)?;
        let needed = items.iter().any(|(key, path)| key != path);
        let item = |(key, path): &(String, String)| json!({ "key": key, "path": path });
        Ok(needed.then(|| items.iter().map(item).collect()))
    }

    fn check_size(&self, scripts: &Value) -> Result<()> {
        let entries = ["data", "binaryData"].into_iter().filter_map(|field| scripts[field].as_object());
        let sizes = entries.flatten().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len));
        let total: usize = sizes.sum();
        if total <= MOST {
            return Ok(());
        }
        let own: usize = self.files.values().map(Vec::len).sum();
        let largest = self.files.iter().max_by_key(|(_, bytes)| bytes.len());
        let largest = largest
            .filter(|_| self.files.len() > 1)
            .map(|(path, bytes)| format!(", of which {path} has {}", bytes.len()));
        Err(too_large(
            &self.given,
            &format!(
                "it has {own} bytes{}; with the scripts beside it, and with what is not UTF-8 as base64, that is \
                 {total} bytes",
                largest.unwrap_or_default()
            ),
        ))
    }

    /// A locustfile with this text.
    pub fn of_text(text: &str) -> Self {
        Self { files: [(LOCUSTFILE.to_owned(), text.into())].into(), ..Self::default() }
    }
}

fn refused(path: &Path, problem: &str) -> Error {
    Error::usage(format!("locustfile {}: {problem}", path.display()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    refused(path, &error.to_string())
        .next("give the path of a Python file, or of a folder with a locustfile.py, with --locustfile")
}

fn too_large(given: &Path, size: &str) -> Error {
    refused(given, &format!("{size}, and a ConfigMap holds {MOST}; nothing was applied")).next(
        "put large data into an image of your own that is made from locustio/locust (--image \
         locustio/locust=REGISTRY/IMAGE:TAG), or let the script fetch it when it starts",
    )
}

/// A key that a ConfigMap may have, and that is not used yet.
fn unique_key(path: &str, used: &BTreeSet<String>) -> String {
    const LONGEST: usize = 200;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let safe = |character: char| if allowed(character) { character } else { '_' };
    let key: String = path.chars().map(safe).take(LONGEST).collect();
    let candidates = std::iter::once(key.clone()).chain((2..).map(|number: u32| format!("{key}.{number}")));
    candidates.into_iter().find(|candidate| !used.contains(candidate)).unwrap_or(key)
}

/// The modules and files beside a locustfile that its text names.
fn left_behind(locustfile: &Path, text: &str) -> Vec<String> {
    let folder = locustfile.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = std::fs::read_dir(folder.unwrap_or_else(|| Path::new("."))) else { return Vec::new() };
    let imported = imported(text);
    let mut found = BTreeSet::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_folder = entry.path().is_dir();
        let module = name.strip_suffix(".py").unwrap_or(&name);
        let is_module = is_folder || module.len() < name.len();
        let is_itself = Some(name.as_str()) == locustfile.file_name().and_then(|own| own.to_str());
        if is_itself || name.starts_with("locust_matrix") || name.starts_with('.') {
            continue;
        }
        let quoted =
            |end: &str| ['"', '\''].iter().any(|quote| text.contains(&format!("{quote}{name}{end}")));
        // A folder's name alone may be any word: it counts as the beginning of a path, or behind pathlib's slash.
        let joined = |quote: char| text.contains(&format!("/ {quote}{name}{quote}"));
        let is_named =
            if is_folder { quoted("/") || joined('"') || joined('\'') } else { quoted("\"") || quoted("'") };
        if is_module && imported.contains(module) || is_named {
            found.insert(name);
        }
    }
    found.into_iter().collect()
}

/// The first names of the modules that Python code imports.
fn imported(text: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for line in text.lines().map(str::trim_start) {
        let list = match (line.strip_prefix("import "), line.strip_prefix("from ")) {
            (Some(list), _) => list,
            (None, Some(rest)) => rest.split(" import").next().unwrap_or_default(),
            (None, None) => continue,
        };
        for module in list.split(',') {
            let first = module.trim().trim_start_matches('.').split(['.', ' ', ';', '#']).next();
            modules.extend(first.filter(|first| !first.is_empty()).map(str::to_owned));
        }
    }
    modules
}

#[cfg(test)]
mod tests;
