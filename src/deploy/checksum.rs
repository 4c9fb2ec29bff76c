//! Pods carry the checksum of the scripts they run, so that a changed script causes a rollout.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::objects::SCRIPTS;
use crate::plan::hex;

const ANNOTATION: &str = "locust-matrix/scripts-checksum";

/// Replaces the locustfile in the ConfigMap `locust-scripts`.
pub(super) fn replace_locustfile(objects: &mut [Value], text: &str) {
    for object in objects.iter_mut().filter(|object| is_scripts(object)) {
        object["data"]["locustfile.py"] = json!(text);
    }
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

/// The first 16 hex digits of the SHA-256 over the scripts: `locustfile.py`, then the others by name.
fn checksum(object: &Value) -> Option<String> {
    if !is_scripts(object) {
        return None;
    }
    let mut scripts: Vec<_> = object["data"].as_object()?.iter().collect();
    scripts.sort_by_key(|(name, _)| (*name).clone());
    scripts.sort_by_key(|(name, _)| *name != "locustfile.py");
    let digest =
        scripts.iter().filter_map(|(_, text)| text.as_str()).fold(Sha256::new(), Sha256::chain_update);
    Some(hex(&digest.finalize())[..16].to_owned())
}
