//! Volumes: folders inside the pod's folder.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
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

/// A file of a volume.
struct VolumeFile {
    path: String,
    bytes: Vec<u8>,
    /// The rights of its owner. Other users of this machine have none.
    mode: u32,
}

/// The rights that a volume or an item of it gives to a file, without those of other users.
fn mode_of(mode: &Value) -> Option<u32> {
    Some(u32::try_from(mode.as_u64()?).ok()? & 0o700)
}

/// The files of a volume.
fn contents(
    store: &Store,
    namespace: &str,
    volume: &Value,
    names: &Substitution,
) -> Result<Vec<VolumeFile>, String> {
    let of = |kind: &'static Kind, source: &Value, name: &str| {
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
        let replaced = files.into_iter().map(|file| {
            let bytes = match String::from_utf8(file.bytes) {
                Ok(text) => names.text(&text).into_bytes(),
                Err(error) => error.into_bytes(),
            };
            VolumeFile { bytes, ..file }
        });
        return Ok(replaced.collect());
    }
    if let Some(name) = volume["secret"]["secretName"].as_str() {
        return of(&kinds::SECRETS, &volume["secret"], name);
    }
    let kind = volume.as_object().and_then(|volume| volume.keys().find(|key| *key != "name"));
    Err(format!(
        "a volume of type {} is not supported: this cluster has emptyDir, configMap and secret volumes only",
        kind.map_or("none", String::as_str)
    ))
}

/// The entries of a ConfigMap or a Secret: file names and contents.
pub(crate) fn files(
    store: &Store,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
) -> Option<Vec<(String, Vec<u8>)>> {
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
fn select(files: Vec<(String, Vec<u8>)>, source: &Value) -> Result<Vec<VolumeFile>, String> {
    let default = mode_of(&source["defaultMode"]).unwrap_or(0o600);
    let Some(items) = source["items"].as_array() else {
        let file = |(path, bytes)| VolumeFile { path, bytes, mode: default };
        return Ok(files.into_iter().map(file).collect());
    };
    let mut selected = Vec::new();
    for item in items {
        let (key, path) =
            (item["key"].as_str().unwrap_or_default(), item["path"].as_str().unwrap_or_default());
        let mode = mode_of(&item["mode"]).unwrap_or(default);
        match files.iter().find(|(name, _)| name == key) {
            Some((_, bytes)) => {
                selected.push(VolumeFile { path: path.to_owned(), bytes: bytes.clone(), mode });
            }
            None if source["optional"] == true => {}
            None => return Err(format!("references non-existent config key: {key}")),
        }
    }
    Ok(selected)
}

fn write(folder: &Path, files: &[VolumeFile]) -> std::io::Result<()> {
    let create_folder = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    create_folder(folder)?;
    for file in files {
        let name = Path::new(&file.path);
        if name.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(std::io::Error::other(format!("{}: leaves its volume", name.display())));
        }
        let path = folder.join(name);
        if let Some(above) = path.parent() {
            create_folder(above)?;
        }
        // An earlier attempt may have written a file that its owner may not write.
        let _ = std::fs::remove_file(&path);
        let mut written = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(path)?;
        written.write_all(&file.bytes)?;
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
    fn files_have_the_rights_that_the_volume_gives_to_their_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |volume: &Value, path: &str| {
            let root = prepared(volume).unwrap();
            std::fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o777
        };
        let secret = json!({ "name": "v", "secret": { "secretName": "s", "defaultMode": 0o644 } });
        assert_eq!(mode(&secret, "v/k"), 0o600);
        assert_eq!(mode(&secret, "v"), 0o700);
        let script = json!({ "name": "v", "configMap": { "name": "m", "defaultMode": 0o755 } });
        assert_eq!(mode(&script, "v/a"), 0o700);
        let items = json!([{ "key": "a", "path": "x", "mode": 0o444 }]);
        let item = json!({ "name": "v", "configMap": { "name": "m", "items": items } });
        assert_eq!(mode(&item, "v/x"), 0o400);
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
