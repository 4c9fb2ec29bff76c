//! Patches: JSON patch, merge patch, strategic merge patch, and server-side apply.

use axum::response::Response;
use serde_json::{Value, json};

use super::apply::apply;
use super::objects::{change, keep_system_metadata, read, read_typed, revise, store_new};
use super::scale::with_scale;
use super::strategic;
use crate::api::admit::admission::{admit, complete};
use crate::api::admit::warnings::ignored;
use crate::api::wire::answer::{json_answer, with_warnings};
use crate::api::wire::body::{self, OBJECT_LIMIT};
use crate::api::wire::call::Call;
use crate::api::wire::rbac::{self, Verb};
use crate::api::wire::{form, scale};
use crate::refusal::Refusal;
use crate::store::Key;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/strategic-merge-patch+json";

/// Patches an object.
pub(crate) fn patch(call: &Call<'_>, key: &Key, body: &[u8]) -> Result<Response, Refusal> {
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
            with_scale(call, before, &wanted, &manager)
        })?;
        return Ok(json_answer(200, &scale::of(call.kind, &changed)));
    }
    let mut warnings = Vec::new();
    let changed = change(call, key, |before| {
        let mut wanted = before.clone();
        patch.apply_to(&mut wanted)?;
        let (wanted, unknown_fields) = read(call, wanted, Some(&key.name))?;
        warnings = unknown_fields;
        revise(call, before, wanted, &manager)
    })?;
    Ok(with_warnings(json_answer(200, &form::object(call, &changed)), &warnings))
}

/// A patch that is not a server-side apply.
enum Patch {
    Json(Vec<json_patch::PatchOperation>),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    fn read(media: &str, body: &[u8]) -> Result<Self, Refusal> {
        match media {
            "application/json-patch+json" => {
                let operations: Vec<json_patch::PatchOperation> = serde_json::from_slice(body)
                    .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
                if operations.len() > 10_000 {
                    let message = "The allowed maximum operations in a JSON patch is 10000";
                    return Err(Refusal::new(413, "RequestEntityTooLarge", message));
                }
                Ok(Self::Json(operations))
            }
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                let patch = body::json(body)?;
                if !patch.is_object() {
                    return Err(Refusal::bad_request("error decoding patch: the patch is not an object"));
                }
                Ok(if media.contains("strategic") { Self::Strategic(patch) } else { Self::Merge(patch) })
            }
            _ => Err(body::unsupported(ACCEPTED)),
        }
    }

    fn apply_to(&self, object: &mut Value) -> Result<(), Refusal> {
        match self {
            Self::Merge(patch) => json_patch::merge(object, patch),
            Self::Strategic(patch) => strategic::merge(object, patch)?,
            Self::Json(operations) => {
                for operation in operations {
                    json_patch::patch(object, std::slice::from_ref(operation)).map_err(|error| {
                        let message = format!(
                            "the server rejected our request due to an error in our request: {error}"
                        );
                        Refusal::new(422, "Invalid", message)
                    })?;
                    // A few operations that copy copies would fill the memory.
                    let copies = matches!(operation, json_patch::PatchOperation::Copy(_));
                    if copies && object.to_string().len() > OBJECT_LIMIT {
                        return Err(body::too_large(OBJECT_LIMIT));
                    }
                }
            }
        }
        if object.is_object() {
            Ok(())
        } else {
            Err(Refusal::bad_request("the result of the patch is not an object"))
        }
    }
}

fn server_side_apply(call: &Call<'_>, key: &Key, body: &[u8]) -> Result<Response, Refusal> {
    let applied = body::yaml(body)?;
    let manager = call.manager(true)?;
    let force = call.query.flag("force");
    for field in ["apiVersion", "kind"] {
        if call.subresource() != Some("scale") && !applied[field].is_string() {
            return Err(Refusal::bad_request(format!("invalid object type: {field} not set")));
        }
    }
    if applied["metadata"]["managedFields"].as_array().is_some_and(|entries| !entries.is_empty()) {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    if call.subresource() == Some("scale") {
        let changed = change(call, key, |before| {
            let applied = json!({ "spec": { "replicas": scale::replicas(&applied)? } });
            let after = apply(call.kind, before, &applied, &manager, force)?;
            complete_applied(call, before, after)
        })?;
        return Ok(json_answer(200, &scale::of(call.kind, &changed)));
    }
    let mut applied = refuse_unknown_fields(call, key, applied)?;
    let requested = applied["metadata"].clone();
    if let Value::Object(map) = &mut applied {
        match call.subresource() {
            Some("status") => map.retain(|name, _| name == "status"),
            _ if call.kind.subresources.contains(&"status") => {
                map.remove("status");
            }
            _ => {}
        }
    }
    let warnings = ignored(call.kind, &applied);
    let answer =
        |code, object: &Value| with_warnings(json_answer(code, &form::object(call, object)), &warnings);
    // Another client may create the object after this check. Then the loop ends, and the object is changed.
    while call.store().get(key).is_none() {
        if call.subresource().is_some() || requested["uid"].is_string() {
            return Err(Refusal::not_found(key.kind, &key.name));
        }
        rbac::check(call.store(), &call.identity, Verb::Create, &call.resource)?;
        let mut base = json!({ "metadata": { "name": key.name } });
        if key.kind.namespaced {
            base["metadata"]["namespace"] = json!(key.namespace);
        }
        let mut object = apply(call.kind, &base, &applied, &manager, force)?;
        admit(call.store(), call.kind, &mut object)?;
        match store_new(call, object) {
            Err(refusal) if refusal.reason == "AlreadyExists" => {}
            created => return Ok(answer(201, &created?)),
        }
    }
    let changed = change(call, key, |before| {
        let seen = &requested["resourceVersion"];
        if seen.is_string() && *seen != before["metadata"]["resourceVersion"] {
            return Err(Refusal::modified(key.kind, &key.name));
        }
        let after = apply(call.kind, before, &applied, &manager, force)?;
        complete_applied(call, before, after)
    })?;
    Ok(answer(200, &changed))
}

/// Refuses an object with an unknown field, whatever `fieldValidation` says, because nobody could own the
/// field.
fn refuse_unknown_fields(call: &Call<'_>, key: &Key, applied: Value) -> Result<Value, Refusal> {
    let (applied, unknown) = read_typed(call, applied, &key.name)?;
    let Some(field) = unknown.first() else { return Ok(applied) };
    let kind = key.kind;
    let namespace = if kind.namespaced { format!("{}/", key.namespace) } else { String::new() };
    Err(Refusal::bad_request(format!(
        "failed to create typed patch object ({namespace}{}; {}, Kind={}): .{field}: field not declared in schema",
        key.name,
        kind.api_version(),
        kind.kind
    )))
}

/// The merged object with its defaults.
fn complete_applied(call: &Call<'_>, before: &Value, mut after: Value) -> Result<Value, Refusal> {
    let managed = after["metadata"]["managedFields"].take();
    keep_system_metadata(before, &mut after);
    if call.subresource().is_none() {
        complete(call.kind, &mut after, Some(before))?;
    }
    after["metadata"]["managedFields"] = managed;
    Ok(after)
}
