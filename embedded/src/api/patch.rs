//! Patches of four kinds.

use axum::response::Response;
use serde_json::{Value, json};

use super::admit::{admit, complete};
use super::answer::{json_answer, with_warnings};
use super::apply::apply;
use super::body::{self, OBJECT_LIMIT};
use super::call::Call;
use super::rbac::Verb;
use super::read::formed;
use super::write::{self, change, keep_new, keep_system_metadata, revise};
use super::{rbac, scale, strategic};
use crate::status::Status;
use crate::store::Key;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/strategic-merge-patch+json";

pub(super) fn patch(call: &Call<'_>, key: &Key, body: &[u8]) -> Result<Response, Status> {
    let media = body::media_type(&call.headers);
    if media == "application/apply-patch+yaml" {
        return server_side_apply(call, key, body);
    }
    let patch = Patch::read(&media, body)?;
    let manager = call.manager(false)?;
    if call.subresource() == Some("scale") {
        let changed = change(call, key, |before| {
            let mut wanted = scale::of(call.kind, before);
            patch.apply_to(&mut wanted)?;
            scale::put(call, before, &wanted, &manager)
        })?;
        return Ok(json_answer(200, &scale::of(call.kind, &changed)));
    }
    let mut warnings = Vec::new();
    let changed = change(call, key, |before| {
        let mut wanted = before.clone();
        patch.apply_to(&mut wanted)?;
        let (wanted, found) = write::read(call, wanted, Some(&key.name))?;
        warnings = found;
        revise(call, before, wanted, &manager)
    })?;
    Ok(with_warnings(json_answer(200, &formed(call, &changed)), &warnings))
}

enum Patch {
    Json(Vec<json_patch::PatchOperation>),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    fn read(media: &str, body: &[u8]) -> Result<Self, Status> {
        match media {
            "application/json-patch+json" => {
                let operations: Vec<json_patch::PatchOperation> = serde_json::from_slice(body)
                    .map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))?;
                if operations.len() > 10_000 {
                    let message = "The allowed maximum operations in a JSON patch is 10000";
                    return Err(Status::new(413, "RequestEntityTooLarge", message));
                }
                Ok(Self::Json(operations))
            }
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                let patch = body::json(body)?;
                if !patch.is_object() {
                    return Err(Status::bad_request("error decoding patch: the patch is no object"));
                }
                Ok(if media.contains("strategic") { Self::Strategic(patch) } else { Self::Merge(patch) })
            }
            _ => Err(body::unsupported(ACCEPTED)),
        }
    }

    fn apply_to(&self, object: &mut Value) -> Result<(), Status> {
        match self {
            Self::Merge(patch) => json_patch::merge(object, patch),
            Self::Strategic(patch) => strategic::merge(object, patch)?,
            Self::Json(operations) => {
                for operation in operations {
                    json_patch::patch(object, std::slice::from_ref(operation)).map_err(|error| {
                        let message = format!(
                            "the server rejected our request due to an error in our request: {error}"
                        );
                        Status::new(422, "Invalid", message)
                    })?;
                    // A few copies of copies would fill the memory.
                    let copies = matches!(operation, json_patch::PatchOperation::Copy(_));
                    if copies && object.to_string().len() > OBJECT_LIMIT {
                        return Err(body::too_large(OBJECT_LIMIT));
                    }
                }
            }
        }
        if object.is_object() { Ok(()) } else { Err(Status::bad_request("the patch leaves no object")) }
    }
}

fn server_side_apply(call: &Call<'_>, key: &Key, body: &[u8]) -> Result<Response, Status> {
    let applied = body::yaml(body)?;
    let manager = call.manager(true)?;
    let force = call.query.flag("force");
    for field in ["apiVersion", "kind"] {
        if call.subresource() != Some("scale") && !applied[field].is_string() {
            return Err(Status::bad_request(format!("invalid object type: {field} not set")));
        }
    }
    if applied["metadata"]["managedFields"].as_array().is_some_and(|entries| !entries.is_empty()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    if call.subresource() == Some("scale") {
        let changed = change(call, key, |before| {
            let applied = json!({ "spec": { "replicas": scale::replicas(&applied)? } });
            let after = apply(call.kind, before, &applied, &manager, force)?;
            finished(call, before, after)
        })?;
        return Ok(json_answer(200, &scale::of(call.kind, &changed)));
    }
    let mut applied = known(call, key, applied)?;
    let asked = applied["metadata"].clone();
    if let Value::Object(map) = &mut applied {
        match call.subresource() {
            Some("status") => map.retain(|name, _| name == "status"),
            _ if call.kind.subresources.contains(&"status") => {
                map.remove("status");
            }
            _ => {}
        }
    }
    let answer = |code, object: &Value| json_answer(code, &formed(call, object));
    // Somebody may make it between the look and the creation, and then it is to be changed after all.
    while call.store().get(key).is_none() {
        if call.subresource().is_some() || asked["uid"].is_string() {
            return Err(Status::not_found(key.kind, &key.name));
        }
        rbac::check(call.store(), &call.identity, Verb::Create, &call.resource)?;
        let mut base = json!({ "metadata": { "name": key.name } });
        if key.kind.namespaced {
            base["metadata"]["namespace"] = json!(key.namespace);
        }
        let mut object = apply(call.kind, &base, &applied, &manager, force)?;
        admit(call.store(), call.kind, &mut object)?;
        match keep_new(call, object) {
            Err(status) if status.reason == "AlreadyExists" => {}
            made => return Ok(answer(201, &made?)),
        }
    }
    let changed = change(call, key, |before| {
        let seen = &asked["resourceVersion"];
        if seen.is_string() && *seen != before["metadata"]["resourceVersion"] {
            return Err(Status::modified(key.kind, &key.name));
        }
        let after = apply(call.kind, before, &applied, &manager, force)?;
        finished(call, before, after)
    })?;
    Ok(answer(200, &changed))
}

/// The object to apply. One with a field that nobody could own is refused, whatever `fieldValidation` says.
fn known(call: &Call<'_>, key: &Key, applied: Value) -> Result<Value, Status> {
    let (applied, unknown) = write::of_type(call, applied, &key.name)?;
    let Some(field) = unknown.first() else { return Ok(applied) };
    let kind = key.kind;
    let place = if kind.namespaced { format!("{}/", key.namespace) } else { String::new() };
    Err(Status::bad_request(format!(
        "failed to create typed patch object ({place}{}; {}, Kind={}): .{field}: field not declared in schema",
        key.name,
        kind.api_version(),
        kind.kind
    )))
}

/// The merged object with its defaults. If nothing but times differs it is the old one.
fn finished(call: &Call<'_>, before: &Value, mut after: Value) -> Result<Value, Status> {
    let managed = after["metadata"]["managedFields"].take();
    keep_system_metadata(before, &mut after);
    if call.subresource().is_none() {
        complete(call.kind, &mut after, Some(before))?;
    }
    after["metadata"]["managedFields"] = managed;
    Ok(after)
}
