//! Pods carry the checksum of the scripts they run, so that a changed script causes a rollout.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::scripts::Scripts;
use crate::exit::Result;
use crate::objects::SCRIPTS;
use crate::plan::hex;

const ANNOTATION: &str = "locust-matrix/scripts-checksum";

/// Replaces the locustfile in the ConfigMap `locust-scripts`, adds the files beside it, and lets the pods find each at
/// its path.
///
/// # Errors
/// Exit code 2: they are larger than a ConfigMap may be.
pub(super) fn replace_scripts(objects: &mut [Value], scripts: &Scripts) -> Result<()> {
    let Some(map) = objects.iter_mut().find(|object| is_scripts(object)) else { return Ok(()) };
    let Some(items) = scripts.put_into(map)? else { return Ok(()) };
    for object in objects {
        let volumes = object.pointer_mut("/spec/template/spec/volumes").and_then(Value::as_array_mut);
        let volumes = volumes.into_iter().flatten().filter_map(|volume| volume.get_mut("configMap"));
        for source in volumes.filter(|source| source["name"] == SCRIPTS) {
            source["items"] = items.clone();
        }
    }
    Ok(())
}

fn is_scripts(object: &Value) -> bool {
    object["kind"] == "ConfigMap" && object["metadata"]["name"] == SCRIPTS
}

/// Sets the annotation in every pod template that has it to the checksum of the ConfigMap `locust-scripts`.
pub(super) fn annotate(objects: &mut [Value]) {
    let Some(checksum) = objects.iter().find_map(checksum) else {
        return;
    };
    for object in objects {
        let annotations = object.pointer_mut("/spec/template/metadata/annotations");
        if let Some(annotation) = annotations.and_then(|annotations| annotations.get_mut(ANNOTATION)) {
            *annotation = json!(checksum);
        }
    }
}

/// The first 16 hex digits of the SHA-256 over the scripts: `locustfile.py`, then the others by name. What is not UTF-8
/// counts as its base64.
fn checksum(object: &Value) -> Option<String> {
    if !is_scripts(object) {
        return None;
    }
    let maps = ["data", "binaryData"].into_iter().filter_map(|field| object[field].as_object());
    let mut scripts: Vec<_> = maps.flatten().collect();
    scripts.sort_by_key(|(name, _)| (*name).clone());
    scripts.sort_by_key(|(name, _)| *name != "locustfile.py");
    let digest =
        scripts.iter().filter_map(|(_, text)| text.as_str()).fold(Sha256::new(), Sha256::chain_update);
    Some(hex(&digest.finalize())[..16].to_owned())
}
