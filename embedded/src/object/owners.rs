//! Owner references: which object controls which.

use std::sync::Arc;

use serde_json::{Value, json};

use super::labels::selects;
use super::metadata::{is_terminating, meta};
use crate::kinds::Kind;
use crate::store::{Key, Store};

/// The reference to the object's controller.
fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == json!(true))
}

/// The uid of the object's controller.
pub(crate) fn controller_uid(object: &Value) -> Option<&str> {
    controller(object)?["uid"].as_str()
}

/// The key of the object's controller, if the controller is of this kind.
pub(crate) fn controller_key(object: &Value, kind: &'static Kind) -> Option<Key> {
    let owner = controller(object)?;
    (owner["kind"] == kind.kind)
        .then(|| Key::new(kind, meta(object, "namespace"), owner["name"].as_str().unwrap_or_default()))
}

/// Whether `owner` controls the object.
pub(crate) fn is_controlled_by(object: &Value, owner: &Value) -> bool {
    controller_uid(object) == Some(meta(owner, "uid"))
}

/// The reference that makes `owner` an object's controller.
pub(crate) fn controller_reference(kind: &'static Kind, owner: &Value) -> Value {
    json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "name": meta(owner, "name"),
        "uid": meta(owner, "uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The objects that `owner` controls. Objects that its selector selects and that have no controller are
/// adopted first.
pub(crate) fn claim(
    store: &Store,
    kind: &'static Kind,
    owner_kind: &'static Kind,
    owner: &Value,
) -> Vec<Arc<Value>> {
    let (objects, _) = store.list(kind, Some(meta(owner, "namespace")));
    let mut claimed = Vec::new();
    for object in objects {
        if is_controlled_by(&object, owner) {
            claimed.push(object);
        } else if controller_uid(&object).is_none()
            && !is_terminating(owner)
            && !is_terminating(&object)
            && owner["spec"]["selector"].is_object()
            && selects(&owner["spec"]["selector"], &object["metadata"]["labels"])
        {
            let adopted = store.update(&Key::of(kind, &object), |object| {
                let owners = &mut object["metadata"]["ownerReferences"];
                if !owners.is_array() {
                    *owners = json!([]);
                }
                if let Some(owners) = owners.as_array_mut() {
                    owners.push(controller_reference(owner_kind, owner));
                }
                Ok(())
            });
            claimed.extend(adopted.ok());
        }
    }
    claimed
}
