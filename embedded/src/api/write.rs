//! Creating and replacing.

use axum::response::Response;
use serde_json::{Value, json};

use super::admit::{admit, complete};
use super::answer::{json_answer, with_warnings};
use super::body::{OBJECT_LIMIT, too_large};
use super::call::{Call, FieldValidation};
use super::managers::{self, Manager};
use super::read::formed;
use super::typed::typed;
use crate::status::Status;
use crate::store::{Key, Kind};

pub(super) fn create(call: &Call<'_>, object: Value) -> Result<Response, Status> {
    let manager = call.manager(false)?;
    let (mut object, warnings) = read(call, object, None)?;
    if !object["metadata"]["resourceVersion"].is_null() {
        return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
    }
    clean(call.kind, &mut object);
    admit(call.store(), call.kind, &mut object)?;
    managers::track(call.kind, &Value::Null, &mut object, &manager);
    let made = keep_new(call, object)?;
    Ok(with_warnings(json_answer(201, &formed(call, &made)), &warnings))
}

/// Keeps a new object that is complete, unless this is a dry run.
pub(super) fn keep_new(call: &Call<'_>, object: Value) -> Result<Value, Status> {
    fits(&object)?;
    if !call.dry_run()? {
        return call.store().create(call.kind, object).map(|made| Value::clone(&made));
    }
    if call.store().get(&Key::of(call.kind, &object)).is_some() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Status::already_exists(call.kind, name));
    }
    let mut made = object;
    made["metadata"]["creationTimestamp"] = json!(crate::store::now());
    Ok(made)
}

pub(super) fn replace(call: &Call<'_>, key: &Key, object: Value) -> Result<Response, Status> {
    let manager = call.manager(false)?;
    let (object, warnings) = read(call, object, Some(&key.name))?;
    let changed = change(call, key, |before| revise(call, before, object, &manager))?;
    Ok(with_warnings(json_answer(200, &formed(call, &changed)), &warnings))
}

/// Changes the object that is there. A dry run answers with what it would be.
pub(super) fn change(
    call: &Call<'_>,
    key: &Key,
    revise: impl FnOnce(&Value) -> Result<Value, Status>,
) -> Result<Value, Status> {
    if call.dry_run()? {
        let before = call.store().get(key).ok_or_else(|| Status::not_found(key.kind, &key.name))?;
        return revise(&before);
    }
    let changed = call.store().update(key, |object| {
        *object = revise(object)?;
        fits(object)
    })?;
    Ok(Value::clone(&changed))
}

/// What becomes of an object when a client wants it to be `wanted`.
pub(super) fn revise(
    call: &Call<'_>,
    before: &Value,
    mut wanted: Value,
    manager: &Manager,
) -> Result<Value, Status> {
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    for (field, label) in [("resourceVersion", ""), ("uid", "UID")] {
        let (is, seen) = (&before["metadata"][field], &wanted["metadata"][field]);
        if seen.as_str().is_some_and(|seen| !seen.is_empty()) && is != seen {
            return Err(if label.is_empty() {
                Status::modified(call.kind, name)
            } else {
                let why =
                    format!("Precondition failed: UID in precondition: {seen}, UID in object meta: {is}");
                Status::conflict(call.kind, name, &why)
            });
        }
    }
    keep_system_metadata(before, &mut wanted);
    let mut after = parts(call, before, wanted);
    if call.subresource().is_none() {
        complete(call.kind, &mut after, Some(before))?;
    }
    managers::track(call.kind, before, &mut after, manager);
    Ok(after)
}

/// Through the object itself the status cannot be changed, through `status` nothing else.
pub(super) fn parts(call: &Call<'_>, before: &Value, mut wanted: Value) -> Value {
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

/// What a client cannot set on a new object.
pub(super) fn clean(kind: &Kind, object: &mut Value) {
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
    // A node comes with its status: there is no other program here that would report it.
    if kind.subresources.contains(&"status")
        && kind.kind != "Node"
        && let Value::Object(map) = object
    {
        map.remove("status");
    }
}

fn fits(object: &Value) -> Result<(), Status> {
    if object.to_string().len() > OBJECT_LIMIT { Err(too_large(OBJECT_LIMIT)) } else { Ok(()) }
}

/// The object as its type has it, and the fields that it does not know.
pub(super) fn of_type(
    call: &Call<'_>,
    mut object: Value,
    name: &str,
) -> Result<(Value, Vec<String>), Status> {
    belongs(call, &mut object, Some(name))?;
    typed(call.kind, object)
}

/// Checks that the object is what and where the URL says, and that its fields are those of its type.
/// Answers with it and with the warnings that the client is to see.
pub(super) fn read(
    call: &Call<'_>,
    mut object: Value,
    name: Option<&str>,
) -> Result<(Value, Vec<String>), Status> {
    belongs(call, &mut object, name)?;
    let (object, unknown) = typed(call.kind, object)?;
    let unknown: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    match call.field_validation()? {
        FieldValidation::Ignore => Ok((object, Vec::new())),
        FieldValidation::Strict if !unknown.is_empty() => {
            let kind = call.kind.kind;
            let message = format!(
                "{kind} in version {:?} cannot be handled as a {kind}: strict decoding error: {}",
                call.kind.version,
                unknown.join(", ")
            );
            Err(Status::bad_request(message))
        }
        FieldValidation::Strict | FieldValidation::Warn => Ok((object, unknown)),
    }
}

fn belongs(call: &Call<'_>, object: &mut Value, name: Option<&str>) -> Result<(), Status> {
    let kind = call.kind;
    let Value::Object(map) = object else { return Err(Status::bad_request("the body is no object")) };
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
                return Err(Status::bad_request(message));
            }
        }
    }
    let metadata = map.entry("metadata").or_insert(Value::Null);
    if metadata.is_null() {
        *metadata = json!({});
    }
    let Value::Object(metadata) = metadata else {
        return Err(Status::bad_request("metadata: expected an object"));
    };
    let given = |metadata: &serde_json::Map<String, Value>, field: &str| {
        metadata.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    if let Some(name) = name {
        let given = given(metadata, "name");
        if !given.is_empty() && given != name {
            let message =
                format!("the name of the object ({given}) does not match the name on the URL ({name})");
            return Err(Status::bad_request(message));
        }
        metadata.insert("name".into(), json!(name));
    }
    if kind.namespaced {
        let namespace = call.resource.namespace.as_deref().unwrap_or_default();
        let given = given(metadata, "namespace");
        if !given.is_empty() && given != namespace {
            let message =
                "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Status::bad_request(message));
        }
        metadata.insert("namespace".into(), json!(namespace));
    } else {
        metadata.remove("namespace");
    }
    Ok(())
}
