//! The scripts' checksum in the pods that run them, so that a changed script rolls the pods.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::plan::hex;

const ANNOTATION: &str = "locust-matrix/scripts-checksum";

/// Uses another locustfile than that of the manifests.
pub(super) fn use_locustfile(objects: &mut [Value], text: &str) {
    for object in objects.iter_mut().filter(|object| is_scripts(object)) {
        object["data"]["locustfile.py"] = json!(text);
    }
}

fn is_scripts(object: &Value) -> bool {
    object["kind"] == "ConfigMap" && object["metadata"]["name"] == "locust-scripts"
}

/// Puts the checksum of the ConfigMap `locust-scripts` among `objects` wherever a pod template has
/// the annotation.
pub(super) fn stamp(objects: &mut [Value]) {
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

/// The first 16 hex digits of the SHA-256 over the scripts, in order of their names.
fn checksum(object: &Value) -> Option<String> {
    if !is_scripts(object) {
        return None;
    }
    let mut scripts: Vec<_> = object["data"].as_object()?.iter().collect();
    scripts.sort_by_key(|(name, _)| (*name).clone());
    // locustfile.py before locust_matrix.py, as `cat` of both in the order of the manifests.
    scripts.sort_by_key(|(name, _)| *name != "locustfile.py");
    let digest =
        scripts.iter().filter_map(|(_, text)| text.as_str()).fold(Sha256::new(), Sha256::chain_update);
    Some(hex(&digest.finalize())[..16].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::{Overlay, embedded, kustomize, objects};

    #[test]
    fn the_manifests_carry_the_checksum_of_their_scripts() {
        let plain = kustomize::build(&embedded::read, ".").unwrap();
        assert_eq!(
            plain,
            objects(Overlay::Base, &[], None).unwrap(),
            "a script has changed: put its checksum into the manifests"
        );
    }

    #[test]
    fn a_changed_script_changes_the_pods() {
        let pods = |locustfile: Option<&str>| -> Vec<Value> {
            let objects = objects(Overlay::Base, &[], locustfile).unwrap();
            objects
                .iter()
                .filter(|o| o["kind"] == "Deployment")
                .map(|o| o["spec"]["template"].clone())
                .collect()
        };
        let (before, after) = (pods(None), pods(Some("pass\n")));
        assert_eq!(after.len(), 2);
        assert!(after.iter().zip(&before).all(|(new, old)| new != old));
    }
}
