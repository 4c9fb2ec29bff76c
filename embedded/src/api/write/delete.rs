//! Deleting one object, or all objects that match a selector.

use axum::response::Response;
use serde_json::{Value, json};

use crate::api::wire::answer::{json_answer, success};
use crate::api::wire::call::Call;
use crate::api::wire::selector::Selector;
use crate::api::wire::{body, form};
use crate::refusal::Refusal;
use crate::store::{DeleteOptions, Key, Propagation};

/// Deletes one object.
pub(crate) fn delete(call: &Call<'_>, key: &Key, body: &[u8]) -> Result<Response, Refusal> {
    let (options, dry_run) = options(call, body)?;
    if dry_run {
        let object = call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
        return Ok(json_answer(200, &form::object(call, &object)));
    }
    let last = call.store().delete(key, &options)?;
    let is_deleted =
        call.store().get(key).is_none_or(|now| now["metadata"]["uid"] != last["metadata"]["uid"]);
    if is_deleted && !matches!(key.kind.kind, "Pod" | "Service" | "ServiceAccount") {
        let kind = key.kind;
        let details = json!({ "name": key.name, "group": kind.group, "kind": kind.plural, "uid": last["metadata"]["uid"] });
        return Ok(json_answer(200, &success(&details)));
    }
    Ok(json_answer(200, &form::object(call, &last)))
}

/// Deletes all objects that match the selectors.
pub(crate) fn delete_all(call: &Call<'_>, body: &[u8]) -> Result<Response, Refusal> {
    let (options, dry_run) = options(call, body)?;
    let selector = Selector::of(call.kind, &call.query)?;
    let (objects, version) = call.store().list(call.kind, call.resource.namespace.as_deref());
    let selected: Vec<&Value> =
        objects.iter().map(AsRef::as_ref).filter(|object| selector.matches(object)).collect();
    for object in selected.iter().filter(|_| !dry_run) {
        match call.store().delete(&Key::of(call.kind, object), &options) {
            Err(refusal) if refusal.code != 404 => return Err(refusal),
            _ => {}
        }
    }
    Ok(json_answer(200, &form::list(call, &selected, version)))
}

/// The options in the body or in the URL, and whether this is a dry run.
fn options(call: &Call<'_>, bytes: &[u8]) -> Result<(DeleteOptions, bool), Refusal> {
    let given = if bytes.is_empty() { json!({}) } else { body::object(&call.headers, bytes)? };
    options_in(call, &given)
}

/// The options in an object or in the URL, and whether this is a dry run.
pub(super) fn options_in(call: &Call<'_>, given: &Value) -> Result<(DeleteOptions, bool), Refusal> {
    let wrong = |field: &str, value: &Value| {
        Refusal::bad_request(format!("DeleteOptions: {field}: Invalid value: {value}"))
    };
    if given["kind"].as_str().is_some_and(|kind| kind != "DeleteOptions") {
        return Err(wrong("kind", &given["kind"]));
    }
    let grace = match (&given["gracePeriodSeconds"], call.query.get("gracePeriodSeconds")) {
        (Value::Null, None) => None,
        (Value::Null, Some(text)) => {
            Some(text.parse().map_err(|_| wrong("gracePeriodSeconds", &json!(text)))?)
        }
        (value, _) => Some(value.as_u64().ok_or_else(|| wrong("gracePeriodSeconds", value))?),
    };
    let policy = given["propagationPolicy"].as_str().or_else(|| call.query.get("propagationPolicy"));
    let propagation = match (policy, given["orphanDependents"].as_bool()) {
        (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
        (Some("Foreground"), _) => Some(Propagation::Foreground),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
        (Some(other), _) => {
            let why = format!(
                "Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            let message = format!("DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: {why}");
            let cause =
                json!({ "reason": "FieldValueNotSupported", "message": why, "field": "propagationPolicy" });
            let details = json!({ "group": "meta.k8s.io", "kind": "DeleteOptions", "causes": [cause] });
            return Err(Refusal { details: Some(details), ..Refusal::new(422, "Invalid", message) });
        }
        (None, None) => None,
    };
    let text = |field: &str| given["preconditions"][field].as_str().map(Into::into);
    let options = DeleteOptions {
        grace_period: grace,
        propagation,
        uid: text("uid"),
        resource_version: text("resourceVersion"),
    };
    let dry = given["dryRun"].as_array().is_some_and(|all| all.iter().any(|one| one == "All"));
    Ok((options, dry || call.dry_run()?))
}
