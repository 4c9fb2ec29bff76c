//! Eviction: a deletion of a pod whose cause is written into the pod's conditions. `kubectl drain` evicts pods.

use axum::response::Response;
use serde_json::json;

use super::delete::options_in;
use crate::api::wire::answer::{json_answer, success};
use crate::api::wire::body;
use crate::api::wire::call::Call;
use crate::object::conditions;
use crate::object::metadata::meta;
use crate::object::pods::is_active;
use crate::refusal::Refusal;
use crate::store::Key;

/// Evicts a pod. There are no disruption budgets here that could forbid it.
pub(crate) fn evict(call: &Call<'_>, key: &Key, bytes: &[u8]) -> Result<Response, Refusal> {
    let eviction = body::object(&call.headers, bytes)?;
    if eviction["kind"].as_str().is_some_and(|kind| kind != "Eviction") {
        let message = format!(
            "the kind in the data ({}) does not match the expected kind (Eviction)",
            eviction["kind"]
        );
        return Err(Refusal::bad_request(message));
    }
    if !meta(&eviction, "name").is_empty() && meta(&eviction, "name") != key.name {
        return Err(Refusal::bad_request("name in URL does not match name in Eviction object"));
    }
    let (options, dry_run) = options_in(call, &eviction["deleteOptions"])?;
    let pod = call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
    if options.uid.as_deref().is_some_and(|uid| uid != meta(&pod, "uid")) {
        let why = "Precondition failed: the UID in the precondition is not the UID in the object meta";
        return Err(Refusal::conflict(key.kind, &key.name, why));
    }
    if !dry_run {
        if is_active(&pod) {
            call.store().update(key, |pod| {
                let list = &mut pod["status"]["conditions"];
                let message = "Eviction API: evicting";
                conditions::set(list, "DisruptionTarget", "True", "EvictionByEvictionAPI", message);
                Ok(())
            })?;
        }
        call.store().delete(key, &options)?;
    }
    Ok(json_answer(201, &success(&json!({}))))
}
