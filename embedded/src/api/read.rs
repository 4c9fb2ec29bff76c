//! Getting and listing.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::answer::{Form, json_answer};
use super::call::Call;
use super::scale;
use super::selector::Selector;
use super::table;
use crate::status::Status;
use crate::store::{Key, Kind};

pub(super) fn get(call: &Call<'_>, key: &Key) -> Result<Response, Status> {
    let object = call.store().get(key).ok_or_else(|| Status::not_found(key.kind, &key.name))?;
    if call.subresource() == Some("scale") {
        return Ok(json_answer(200, &scale::of(key.kind, &object)));
    }
    Ok(json_answer(200, &formed(call, &object)))
}

/// One object in the form that the client wants.
pub(super) fn formed(call: &Call<'_>, object: &Value) -> Value {
    match call.form {
        Form::Object => object.clone(),
        Form::Table => {
            table::table(call.kind, &[object], &object["metadata"], call.query.get("includeObject"))
        }
        Form::Metadata => table::metadata_only(object),
    }
}

pub(super) fn list(call: &Call<'_>) -> Result<Response, Status> {
    let selector = Selector::of(call.kind, &call.query)?;
    let (objects, version) = call.store().list(call.kind, call.resource.namespace.as_deref());
    not_in_the_future(call, version)?;
    if call.query.get("continue").is_some() {
        return Err(Status::bad_request("continue key is not valid: lists come in one piece here"));
    }
    let selected: Vec<&Value> =
        objects.iter().map(Arc::as_ref).filter(|object| selector.matches(object)).collect();
    Ok(json_answer(200, &list_of(call.kind, &selected, version, call.form, call.query.get("includeObject"))))
}

/// A client that has seen a later version than there is comes from another life of this server.
fn not_in_the_future(call: &Call<'_>, version: u64) -> Result<(), Status> {
    let wanted = call.version_asked()?;
    if wanted <= version {
        return Ok(());
    }
    let message = format!("Timeout: Too large resource version: {wanted}, current: {version}");
    let details = json!({ "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }], "retryAfterSeconds": 1 });
    Err(Status { details: Some(details), ..Status::new(504, "Timeout", message) })
}

pub(super) fn list_of(
    kind: &Kind,
    objects: &[&Value],
    version: u64,
    form: Form,
    include: Option<&str>,
) -> Value {
    let metadata = json!({ "resourceVersion": version.to_string() });
    let (list, api_version, items): (String, String, Vec<Value>) = match form {
        Form::Table => return table::table(kind, objects, &metadata, include),
        Form::Object => {
            let items = objects.iter().copied().cloned().collect();
            (format!("{}List", kind.kind), kind.api_version(), items)
        }
        Form::Metadata => {
            let items = objects.iter().map(|object| table::metadata_only(object)).collect();
            ("PartialObjectMetadataList".into(), "meta.k8s.io/v1".into(), items)
        }
    };
    json!({ "kind": list, "apiVersion": api_version, "metadata": metadata, "items": items })
}
