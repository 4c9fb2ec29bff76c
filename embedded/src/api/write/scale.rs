//! Changes of the `scale` subresource.

use axum::response::Response;
use serde_json::{Value, json};

use super::managed_fields;
use super::objects::change;
use crate::api::wire::answer::json_answer;
use crate::api::wire::call::{Call, FieldManager};
use crate::api::wire::scale;
use crate::refusal::Refusal;
use crate::store::Key;

/// Replaces the scale.
pub(crate) fn replace(call: &Call<'_>, key: &Key, wanted: &Value) -> Result<Response, Refusal> {
    let manager = call.manager(false)?;
    let changed = change(call, key, |before| with_scale(call, before, wanted, &manager))?;
    Ok(json_answer(200, &scale::of(call.kind, &changed)))
}

/// The object with the replicas of a `Scale`.
pub(super) fn with_scale(
    call: &Call<'_>,
    before: &Value,
    wanted: &Value,
    manager: &FieldManager,
) -> Result<Value, Refusal> {
    let seen = wanted["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    if !seen.is_empty() && before["metadata"]["resourceVersion"] != seen {
        return Err(Refusal::modified(call.kind, name));
    }
    let replicas = scale::replicas(wanted)?;
    let mut after = before.clone();
    after["spec"]["replicas"] = json!(replicas);
    managed_fields::track(call.kind, before, &mut after, manager);
    Ok(after)
}
