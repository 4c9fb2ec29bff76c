//! The subset of kustomize that the manifests use. Every other field is an error, so that this program
//! applies the same objects as `kubectl apply -k`.

use std::collections::BTreeMap;

use json_patch::Patch;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Returns the text of a file of the manifests, given its path.
type ReadFile<'a> = &'a dyn Fn(&str) -> Option<&'static str>;

/// An image that replaces another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// The name of the image to replace, without tag.
    pub name: String,
    /// The new name; `None` keeps the name.
    pub new_name: Option<String>,
    /// The new tag; `None` keeps the tag.
    pub new_tag: Option<String>,
}

impl std::str::FromStr for Image {
    type Err = String;

    /// `name=new-name:tag`
    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("'{text}' is not NAME=IMAGE:TAG, such as locust-driver=registry/locust-driver:1.0");
        let (name, image) = text.split_once('=').ok_or_else(refused)?;
        let (new_name, tag) = split_tag(image);
        if name.is_empty() || new_name.is_empty() {
            return Err(refused());
        }
        Ok(Self { name: name.into(), new_name: Some(new_name.into()), new_tag: tag.map(Into::into) })
    }
}

/// Splits an image into name and tag. A colon before the last slash belongs to the registry's port.
fn split_tag(image: &str) -> (&str, Option<&str>) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kustomization {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    kind: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    config_map_generator: Vec<Generator>,
    generator_options: Option<GeneratorOptions>,
    #[serde(default)]
    images: Vec<Image>,
    namespace: Option<String>,
    #[serde(default)]
    patches: Vec<PatchEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Generator {
    name: String,
    files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GeneratorOptions {
    disable_name_suffix_hash: bool,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchEntry {
    target: Target,
    patch: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    kind: String,
    name: String,
}

/// The objects of the kustomization in `folder`.
///
/// # Errors
/// Says which file is missing, or which part of it this subset does not support.
pub(super) fn build(read: ReadFile<'_>, folder: &str) -> Result<Vec<Value>, String> {
    let path = join(folder, "kustomization.yaml");
    let text = read(&path).ok_or_else(|| format!("{path} does not exist"))?;
    let kustomization: Kustomization = typed(text).map_err(|error| format!("{path}: {error}"))?;
    if kustomization.kind != "Kustomization" {
        return Err(format!("{path}: kind {} is not supported", kustomization.kind));
    }
    let mut objects = Vec::new();
    for resource in &kustomization.resources {
        let place = join(folder, resource);
        if let Some(text) = read(&place) {
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(text).map_err(|error| format!("{place}: {error}"))?;
            objects.extend(documents.into_iter().filter(|document| !document.is_null()));
        } else {
            objects.extend(build(read, &place)?);
        }
    }
    for generator in &kustomization.config_map_generator {
        let options =
            kustomization.generator_options.as_ref().filter(|options| options.disable_name_suffix_hash);
        let options = options.ok_or_else(|| format!("{path}: a generator needs disableNameSuffixHash"))?;
        objects.push(generate(read, folder, generator, options)?);
    }
    for entry in &kustomization.patches {
        patch(&mut objects, entry).map_err(|problem| format!("{path}: {problem}"))?;
    }
    if let Some(namespace) = &kustomization.namespace {
        set_namespace(&mut objects, namespace);
    }
    replace_images(&mut objects, &kustomization.images);
    Ok(objects)
}

/// Sets the namespace of every object and of every RoleBinding's subjects.
fn set_namespace(objects: &mut [Value], namespace: &str) {
    for object in objects {
        object["metadata"]["namespace"] = json!(namespace);
        for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
            subject["namespace"] = json!(namespace);
        }
    }
}

/// Replaces the images of all containers in `objects`.
pub(super) fn replace_images(objects: &mut [Value], images: &[Image]) {
    for object in objects {
        for image in images {
            replace_image(object, image);
        }
    }
}

fn replace_image(value: &mut Value, image: &Image) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let containers = matches!(key.as_str(), "containers" | "initContainers");
                for container in field.as_array_mut().filter(|_| containers).into_iter().flatten() {
                    let old = container["image"].as_str().unwrap_or_default().to_owned();
                    let (name, tag) = split_tag(&old);
                    if name == image.name {
                        let name = image.new_name.as_deref().unwrap_or(name);
                        let tag = image.new_tag.as_deref().or(tag);
                        container["image"] =
                            json!(tag.map_or(name.to_owned(), |tag| format!("{name}:{tag}")));
                    }
                }
                replace_image(field, image);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_image(item, image)),
        _ => {}
    }
}

fn generate(
    read: ReadFile<'_>,
    folder: &str,
    generator: &Generator,
    options: &GeneratorOptions,
) -> Result<Value, String> {
    let mut data = BTreeMap::new();
    for file in &generator.files {
        let path = join(folder, file);
        data.insert(file.clone(), read(&path).ok_or_else(|| format!("{path} does not exist"))?);
    }
    let mut metadata = json!({ "name": generator.name });
    if !options.labels.is_empty() {
        metadata["labels"] = json!(options.labels);
    }
    Ok(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data }))
}

/// Reads YAML by way of JSON, as kustomize does. To read each type from YAML itself would make the program larger by
/// 100 kB for each of them.
fn typed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn patch(objects: &mut [Value], entry: &PatchEntry) -> Result<(), String> {
    let Target { kind, name } = &entry.target;
    let operations: Patch =
        typed(&entry.patch).map_err(|error| format!("patch of {kind} {name}: {error}"))?;
    let object = objects
        .iter_mut()
        .find(|object| object["kind"] == kind.as_str() && object["metadata"]["name"] == name.as_str())
        .ok_or_else(|| format!("{kind} {name} is patched and does not exist"))?;
    json_patch::patch(object, &operations).map_err(|error| format!("patch of {kind} {name}: {error}"))
}

/// Joins two relative paths and resolves `..`.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<&'static str> {
        Some(match path {
            "over/kustomization.yaml" => {
                "{apiVersion: v, kind: Kustomization, resources: [../base], namespace: other, \
                 images: [{name: stub, newTag: '2'}], patches: [{target: {kind: Deployment, name: a}, \
                 patch: '[{op: replace, path: /spec/replicas, value: 3}]'}]}"
            }
            "base/kustomization.yaml" => {
                "{apiVersion: v, kind: Kustomization, resources: [a.yaml], configMapGenerator: [{name: m, files: [f.py]}], \
                 generatorOptions: {disableNameSuffixHash: true}}"
            }
            "base/a.yaml" => {
                "{kind: Deployment, metadata: {name: a}, spec: {replicas: 1, template: {spec: {containers: [{image: 'stub:1'}]}}}}\n---\n\
                 {kind: Service, metadata: {name: b}}\n"
            }
            "base/f.py" => "pass\n",
            "odd/kustomization.yaml" => "{apiVersion: v, kind: Kustomization, namePrefix: x-}",
            _ => return None,
        })
    }

    #[test]
    fn an_overlay_changes_the_objects_of_its_base() {
        let objects = build(&read, "over").unwrap();
        assert_eq!(objects.len(), 3);
        assert_eq!(objects[0]["spec"]["replicas"], 3);
        assert_eq!(objects[0]["spec"]["template"]["spec"]["containers"][0]["image"], "stub:2");
        assert_eq!(objects[1]["metadata"]["namespace"], "other");
        assert_eq!(objects[2]["data"]["f.py"], "pass\n");
    }

    #[test]
    fn unsupported_fields_and_missing_files_are_errors() {
        assert!(build(&read, "odd").unwrap_err().contains("namePrefix"));
        assert!(build(&read, "nowhere").unwrap_err().contains("nowhere/kustomization.yaml does not exist"));
    }

    #[test]
    fn the_port_of_a_registry_is_not_a_tag() {
        let image: Image = "locust-driver=localhost:5000/team/driver".parse().unwrap();
        assert_eq!(image.new_name.as_deref(), Some("localhost:5000/team/driver"));
        assert_eq!(image.new_tag, None);
        assert!("locust-driver".parse::<Image>().is_err());
    }
}
