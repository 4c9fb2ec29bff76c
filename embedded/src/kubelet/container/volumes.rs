//! Volumes: folders inside the pod's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::substitute::Substitution;
use crate::kinds::{self, Kind};
use crate::object::metadata::meta;
use crate::store::{Key, Store};

/// Creates all volumes of a pod in `root`. Returns their folders, by volume name.
///
/// # Errors
/// In Kubernetes' words: the object that does not exist yet.
pub(crate) fn prepare(
    store: &Store,
    pod: &Value,
    root: &Path,
    names: &Substitution,
) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut folders = BTreeMap::new();
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let name = volume["name"].as_str().unwrap_or_default();
        let failed = |why: String| format!("MountVolume.SetUp failed for volume \"{name}\" : {why}");
        let folder = root.join(name);
        let files = contents(store, meta(pod, "namespace"), volume, names).map_err(failed)?;
        write(&folder, &files).map_err(|error| failed(error.to_string()))?;
        folders.insert(name.to_owned(), folder);
    }
    Ok(folders)
}

/// The folders that a container mounts, by mount path.
///
/// # Errors
/// A mount is invalid.
pub(crate) fn mounts(
    container: &Value,
    volumes: &BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut mounts = BTreeMap::new();
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let (name, path) = (mount["name"].as_str().unwrap_or_default(), mount["mountPath"].as_str());
        let (Some(folder), Some(path)) = (volumes.get(name), path) else {
            return Err(format!("volumeMounts: there is no volume \"{name}\""));
        };
        let folder = match mount["subPath"].as_str() {
            Some(below) if below.split('/').any(|part| part == "..") => {
                return Err(format!("volumeMounts: subPath {below} leaves its volume"));
            }
            Some(below) => folder.join(below),
            None => folder.clone(),
        };
        mounts.insert(path.to_owned(), folder);
    }
    Ok(mounts)
}

type Files = Vec<(String, Vec<u8>)>;

/// The files of a volume.
fn contents(store: &Store, namespace: &str, volume: &Value, names: &Substitution) -> Result<Files, String> {
    let of = |kind: &'static Kind, source: &Value, name: &str| -> Result<Files, String> {
        let files = match files(store, kind, namespace, name) {
            Some(files) => files,
            None if source["optional"] == true => Vec::new(),
            None => return Err(format!("{} \"{name}\" not found", kind.singular)),
        };
        select(files, source)
    };
    if volume["emptyDir"].is_object() {
        return Ok(Vec::new());
    }
    if let Some(name) = volume["configMap"]["name"].as_str() {
        let files = of(&kinds::CONFIG_MAPS, &volume["configMap"], name)?;
        let replaced = files.into_iter().map(|(file, bytes)| match String::from_utf8(bytes) {
            Ok(text) => (file, names.text(&text).into_bytes()),
            Err(error) => (file, error.into_bytes()),
        });
        return Ok(replaced.collect());
    }
    if let Some(name) = volume["secret"]["secretName"].as_str() {
        return of(&kinds::SECRETS, &volume["secret"], name);
    }
    let kind = volume.as_object().and_then(|volume| volume.keys().find(|key| *key != "name"));
    Err(format!(
        "{}: this cluster has emptyDir, configMap and secret volumes only",
        kind.map_or("no kind", String::as_str)
    ))
}

/// The entries of a ConfigMap or a Secret: file names and contents.
pub(crate) fn files(store: &Store, kind: &'static Kind, namespace: &str, name: &str) -> Option<Files> {
    let object = store.get(&Key::new(kind, namespace, name))?;
    let entries = |field: &str| object[field].as_object().cloned().unwrap_or_default().into_iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // The API server has checked that the value is base64.
    let decoded = |value: &Value| STANDARD.decode(text(value)).unwrap_or_default();
    let secret = *kind == kinds::SECRETS;
    let data = entries("data")
        .map(|(key, value)| (key, if secret { decoded(&value) } else { text(&value).into_bytes() }));
    let binary = entries("binaryData").map(|(key, value)| (key, decoded(&value)));
    Some(data.chain(binary).collect())
}

/// The files that `items` selects, with their paths. All files if there are no `items`.
fn select(files: Files, source: &Value) -> Result<Files, String> {
    let Some(items) = source["items"].as_array() else { return Ok(files) };
    let mut selected = Vec::new();
    for item in items {
        let (key, path) =
            (item["key"].as_str().unwrap_or_default(), item["path"].as_str().unwrap_or_default());
        match files.iter().find(|(name, _)| name == key) {
            Some((_, bytes)) => selected.push((path.to_owned(), bytes.clone())),
            None if source["optional"] == true => {}
            None => return Err(format!("references non-existent config key: {key}")),
        }
    }
    Ok(selected)
}

fn write(folder: &Path, files: &Files) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, bytes) in files {
        if Path::new(name).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(std::io::Error::other(format!("{name}: leaves its volume")));
        }
        let path = folder.join(name);
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above)?;
        }
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store() -> Store {
        let store = Store::new();
        let map =
            json!({ "metadata": { "name": "m", "namespace": "default" }, "data": { "a": "1", "b": "2" } });
        store.create(&kinds::CONFIG_MAPS, map).unwrap();
        let secret = json!({ "metadata": { "name": "s", "namespace": "default" }, "data": { "k": "aGk=" } });
        store.create(&kinds::SECRETS, secret).unwrap();
        store
    }

    fn pod(volume: &Value) -> Value {
        json!({ "metadata": { "name": "p", "namespace": "default" }, "spec": { "volumes": [volume] } })
    }

    fn prepared(volume: &Value) -> Result<tempfile::TempDir, String> {
        let root = tempfile::tempdir().unwrap();
        prepare(&store(), &pod(volume), root.path(), &Substitution::default()).map(|_| root)
    }

    #[test]
    fn keys_become_files() {
        let root = prepared(&json!({ "name": "v", "configMap": { "name": "m" } })).unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("v/b")).unwrap(), "2");
        let root = prepared(&json!({ "name": "v", "secret": { "secretName": "s" } })).unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("v/k")).unwrap(), "hi");
        let items = json!([{ "key": "a", "path": "x/y" }]);
        let root = prepared(&json!({ "name": "v", "configMap": { "name": "m", "items": items } })).unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("v/x/y")).unwrap(), "1");
        assert!(!root.path().join("v/b").exists());
    }

    #[test]
    fn a_missing_config_map_is_an_error_unless_it_is_optional() {
        let problem = prepared(&json!({ "name": "v", "configMap": { "name": "none" } })).unwrap_err();
        assert_eq!(problem, "MountVolume.SetUp failed for volume \"v\" : configmap \"none\" not found");
        let root =
            prepared(&json!({ "name": "v", "configMap": { "name": "none", "optional": true } })).unwrap();
        assert!(root.path().join("v").is_dir());
    }

    #[test]
    fn no_file_is_written_outside_its_volume() {
        let items = json!([{ "key": "a", "path": "../../x" }]);
        assert!(prepared(&json!({ "name": "v", "configMap": { "name": "m", "items": items } })).is_err());
        let container = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v", "subPath": "../x" }] });
        assert!(mounts(&container, &[("v".to_owned(), PathBuf::from("/s"))].into()).is_err());
    }
}
