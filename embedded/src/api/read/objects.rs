//! Reading one object, or a list of them.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use crate::api::wire::answer::json_answer;
use crate::api::wire::call::Call;
use crate::api::wire::selector::Selector;
use crate::api::wire::{form, scale};
use crate::refusal::Refusal;
use crate::store::Key;

/// Answers with one object.
pub(crate) fn get(call: &Call<'_>, key: &Key) -> Result<Response, Refusal> {
    let object = call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
    if call.subresource() == Some("scale") {
        return Ok(json_answer(200, &scale::of(key.kind, &object)));
    }
    Ok(json_answer(200, &form::object(call, &object)))
}

/// Answers with the objects that match the selectors.
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let selector = Selector::of(call.kind, &call.query)?;
    let (objects, version) = call.store().list(call.kind, call.resource.namespace.as_deref());
    check_version(call, version)?;
    if call.query.get("continue").is_some() {
        return Err(Refusal::bad_request("continue key is not valid: this cluster does not split lists"));
    }
    let selected: Vec<&Value> =
        objects.iter().map(Arc::as_ref).filter(|object| selector.matches(object)).collect();
    Ok(json_answer(200, &form::list(call, &selected, version)))
}

/// Refuses a version in the future. The client got it from an earlier run of this server.
fn check_version(call: &Call<'_>, version: u64) -> Result<(), Refusal> {
    let wanted = call.requested_version()?;
    if wanted <= version {
        return Ok(());
    }
    let message = format!("Timeout: Too large resource version: {wanted}, current: {version}");
    let details = json!({ "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }], "retryAfterSeconds": 1 });
    Err(Refusal { details: Some(details), ..Refusal::new(504, "Timeout", message) })
}
