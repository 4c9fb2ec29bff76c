//! Creating and replacing objects.

use axum::response::Response;
use serde_json::{Value, json};

use super::managed_fields;
use crate::api::admit::admission::{admit, complete};
use crate::api::admit::typed::typed;
use crate::api::admit::warnings::ignored;
use crate::api::wire::answer::{json_answer, with_warnings};
use crate::api::wire::body::{OBJECT_LIMIT, too_large};
use crate::api::wire::call::{Call, FieldManager, FieldValidation};
use crate::api::wire::form;
use crate::kinds::{Kind, LEASES};
use crate::refusal::Refusal;
use crate::store::Key;
use crate::time::now;

/// Creates an object.
pub(crate) fn create(call: &Call<'_>, object: Value) -> Result<Response, Refusal> {
    let manager = call.manager(false)?;
    let (mut object, warnings) = read(call, object, None)?;
    if !object["metadata"]["resourceVersion"].is_null() {
        return Err(Refusal::bad_request("resourceVersion should not be set on objects to be created"));
    }
    remove_system_fields(call.kind, &mut object);
    admit(call.store(), call.kind, &mut object)?;
    managed_fields::track(call.kind, &Value::Null, &mut object, &manager);
    let created = store_new(call, object)?;
    Ok(with_warnings(json_answer(201, &form::object(call, &created)), &warnings))
}

/// Stores a new object, unless this is a dry run.
pub(super) fn store_new(call: &Call<'_>, object: Value) -> Result<Value, Refusal> {
    check_size(&object)?;
    if !call.dry_run()? {
        return call.store().create(call.kind, object).map(|created| Value::clone(&created));
    }
    if call.store().get(&Key::of(call.kind, &object)).is_some() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Refusal::already_exists(call.kind, name));
    }
    let mut created = object;
    created["metadata"]["creationTimestamp"] = json!(now());
    Ok(created)
}

/// Replaces an object.
pub(crate) fn replace(call: &Call<'_>, key: &Key, object: Value) -> Result<Response, Refusal> {
    let manager = call.manager(false)?;
    let (object, warnings) = read(call, object, Some(&key.name))?;
    if *call.kind == LEASES && object["metadata"]["resourceVersion"].as_str().unwrap_or_default().is_empty() {
        let why = "Invalid value: 0x0: must be specified for an update";
        let causes = [("metadata.resourceVersion".to_owned(), why.to_owned())];
        return Err(Refusal::invalid(call.kind, &key.name, &causes));
    }
    let changed = change(call, key, |before| revise(call, before, object, &manager))?;
    Ok(with_warnings(json_answer(200, &form::object(call, &changed)), &warnings))
}

/// Changes an existing object. A dry run only returns the changed object.
pub(super) fn change(
    call: &Call<'_>,
    key: &Key,
    revise: impl FnOnce(&Value) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    if call.dry_run()? {
        let before = call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
        return revise(&before);
    }
    let changed = call.store().update(key, |object| {
        *object = revise(object)?;
        check_size(object)
    })?;
    Ok(Value::clone(&changed))
}

/// The object after a client has asked to replace it by `wanted`.
pub(super) fn revise(
    call: &Call<'_>,
    before: &Value,
    mut wanted: Value,
    manager: &FieldManager,
) -> Result<Value, Refusal> {
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    for (field, label) in [("resourceVersion", ""), ("uid", "UID")] {
        let (current, expected) = (&before["metadata"][field], &wanted["metadata"][field]);
        if expected.as_str().is_some_and(|text| !text.is_empty()) && current != expected {
            return Err(if label.is_empty() {
                Refusal::modified(call.kind, name)
            } else {
                let why = format!(
                    "Precondition failed: UID in precondition: {expected}, UID in object meta: {current}"
                );
                Refusal::conflict(call.kind, name, &why)
            });
        }
    }
    keep_system_metadata(before, &mut wanted);
    let mut after = only_allowed_parts(call, before, wanted);
    if call.subresource().is_none() {
        complete(call.kind, &mut after, Some(before))?;
    }
    managed_fields::track(call.kind, before, &mut after, manager);
    Ok(after)
}

/// Undoes changes of other parts: a request for `status` changes only the status, and a request for the
/// object itself changes everything but the status.
fn only_allowed_parts(call: &Call<'_>, before: &Value, mut wanted: Value) -> Value {
    if call.subresource() == Some("status") {
        let mut after = before.clone();
        after["status"] = wanted["status"].take();
        return after;
    }
    if call.kind.subresources.contains(&"status")
        && let Value::Object(map) = &mut wanted
    {
        match before.get("status") {
            Some(status) => map.insert("status".into(), status.clone()),
            None => map.remove("status"),
        };
    }
    wanted
}

/// Restores the metadata that clients cannot change.
pub(super) fn keep_system_metadata(before: &Value, wanted: &mut Value) {
    const SYSTEM: [&str; 9] = [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    ];
    if wanted["metadata"].is_null() {
        wanted["metadata"] = json!({});
    }
    if let Value::Object(metadata) = &mut wanted["metadata"] {
        for field in SYSTEM {
            match before["metadata"].get(field) {
                Some(value) => metadata.insert(field.into(), value.clone()),
                None => metadata.remove(field),
            };
        }
    }
}

/// Removes the fields that clients cannot set on a new object.
fn remove_system_fields(kind: &Kind, object: &mut Value) {
    if let Value::Object(metadata) = &mut object["metadata"] {
        let own = [
            "uid",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
            "selfLink",
        ];
        metadata.retain(|field, _| !own.contains(&field.as_str()));
    }
    // A client may create a Node with its status, because no other program here would report it.
    if kind.subresources.contains(&"status")
        && kind.kind != "Node"
        && let Value::Object(map) = object
    {
        map.remove("status");
    }
}

/// Refuses an object that is too large to be stored.
fn check_size(object: &Value) -> Result<(), Refusal> {
    if object.to_string().len() > OBJECT_LIMIT { Err(too_large(OBJECT_LIMIT)) } else { Ok(()) }
}

/// Returns the object without its unknown fields, and those fields.
pub(super) fn read_typed(
    call: &Call<'_>,
    mut object: Value,
    name: &str,
) -> Result<(Value, Vec<String>), Refusal> {
    check_url(call, &mut object, Some(name))?;
    typed(call.kind, object)
}

/// Checks that the object is the one that the URL names, and that its fields are those of its type. Returns
/// it without unknown fields, and with the warnings for the client.
pub(super) fn read(
    call: &Call<'_>,
    mut object: Value,
    name: Option<&str>,
) -> Result<(Value, Vec<String>), Refusal> {
    check_url(call, &mut object, name)?;
    let (object, unknown) = typed(call.kind, object)?;
    let ignored = ignored(call.kind, &object);
    let unknown: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    match call.field_validation()? {
        FieldValidation::Ignore => Ok((object, ignored)),
        FieldValidation::Strict if !unknown.is_empty() => {
            let kind = call.kind.kind;
            let message = format!(
                "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: {}",
                call.kind.version,
                unknown.join(", ")
            );
            Err(Refusal::bad_request(message))
        }
        FieldValidation::Strict | FieldValidation::Warn => Ok((object, [unknown, ignored].concat())),
    }
}

/// Checks that kind, name and namespace of the object are those of the URL. Adds them if they are missing.
fn check_url(call: &Call<'_>, object: &mut Value, name: Option<&str>) -> Result<(), Refusal> {
    let kind = call.kind;
    let Value::Object(map) = object else { return Err(Refusal::bad_request("the body is not an object")) };
    let version = kind.api_version();
    for (field, expected) in [("apiVersion", version.as_str()), ("kind", kind.kind)] {
        match map.get(field).and_then(Value::as_str).unwrap_or_default() {
            "" => {
                map.insert(field.into(), json!(expected));
            }
            given if given == expected => {}
            given => {
                let what = if field == "kind" { "kind" } else { "API version" };
                let message = format!(
                    "the {what} in the data ({given}) does not match the expected {what} ({expected})"
                );
                return Err(Refusal::bad_request(message));
            }
        }
    }
    let metadata = map.entry("metadata").or_insert(Value::Null);
    if metadata.is_null() {
        *metadata = json!({});
    }
    let Value::Object(metadata) = metadata else {
        return Err(Refusal::bad_request("metadata: expected an object"));
    };
    let given = |metadata: &serde_json::Map<String, Value>, field: &str| {
        metadata.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    if let Some(name) = name {
        let given = given(metadata, "name");
        if !given.is_empty() && given != name {
            let message =
                format!("the name of the object ({given}) does not match the name on the URL ({name})");
            return Err(Refusal::bad_request(message));
        }
        metadata.insert("name".into(), json!(name));
    }
    if kind.namespaced {
        let namespace = call.resource.namespace.as_deref().unwrap_or_default();
        let given = given(metadata, "namespace");
        if !given.is_empty() && given != namespace {
            let message =
                "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
        metadata.insert("namespace".into(), json!(namespace));
    } else {
        metadata.remove("namespace");
    }
    Ok(())
}
