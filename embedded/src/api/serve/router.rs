//! The way from a request to the function that answers it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::api::read::{discovery, log, objects as read, openapi, port_forward, review, watch};
use crate::api::wire::answer::{Form, json_answer, refused};
use crate::api::wire::api::Api;
use crate::api::wire::body;
use crate::api::wire::call::{Call, not_allowed};
use crate::api::wire::identity::Identity;
use crate::api::wire::path::{Query, Resource, Target, target};
use crate::api::wire::rbac::{self, Verb};
use crate::api::wire::selector::Selector;
use crate::api::write::{delete, evict, objects as write, patch, scale};
use crate::refusal::Refusal;
use crate::store::Key;

/// Passes every request to `handle`.
pub(super) fn router(api: Arc<Api>) -> Router {
    Router::new().fallback(handle).with_state(api)
}

async fn handle(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (uri, method) = (request.uri().clone(), request.method().clone());
    match answer(&api, &uri, &method, request).await {
        Ok(response) => response,
        Err(refusal) => {
            let mut response = refused(&refusal);
            if refusal.code == 401 {
                let challenge = axum::http::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

async fn answer(api: &Api, uri: &Uri, method: &Method, request: Request) -> Result<Response, Refusal> {
    let target = target(uri.path());
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    match target {
        Target::Health if is_read => return Ok("ok".into_response()),
        Target::Version if is_read => return Ok(json_answer(200, &discovery::version())),
        _ => {}
    }
    let identity = match api.tokens.identify(request.headers()) {
        Ok(identity) => identity,
        Err(refusal) => {
            // A client does not read the answer while it is still sending the body.
            let _ = body::read(api, request.into_body()).await;
            return Err(refusal);
        }
    };
    match target {
        Target::Resource(resource) => answer_for_resource(api, identity, resource, request).await,
        other => {
            let document = document_of(&other, request.headers()).ok_or_else(unknown_path)?;
            if is_read { Ok(json_answer(200, &document)) } else { Err(not_allowed()) }
        }
    }
}

fn unknown_path() -> Refusal {
    Refusal::new(404, "NotFound", "the server could not find the requested resource")
}

/// The document at a path that is not a resource.
fn document_of(target: &Target, headers: &HeaderMap) -> Option<Value> {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    match target {
        Target::CoreVersions => Some(discovery::core_versions(host)),
        Target::Groups => Some(discovery::groups()),
        Target::Group(name) => discovery::group(name),
        Target::Resources(group, version) => discovery::resources(group, version),
        Target::OpenApiV2 => Some(openapi::v2()),
        Target::OpenApiV3(path) => openapi::v3(path),
        Target::Health | Target::Version => Some(json!({})),
        Target::Unknown | Target::Resource(_) => None,
    }
}

async fn answer_for_resource(
    api: &Api,
    identity: Identity,
    resource: Resource,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, request_body) = request.into_parts();
    let query = Query::of(&parts.uri);
    let authorized = authorize(api, &identity, &resource, &query, &parts.method);
    // The body is read even if the request is refused: a client does not read the answer while it is sending.
    let bytes = body::read(api, request_body).await;
    let verb = authorized?;
    let bytes = bytes?;
    if review::REVIEWS.iter().any(|(group, plural, _)| resource.group == *group && resource.plural == *plural)
    {
        if verb != Verb::Create {
            return Err(not_allowed());
        }
        let review = body::object(&parts.headers, &bytes)?;
        return Ok(json_answer(201, &review::answer(api, &identity, &resource.plural, review)?));
    }
    let kind = resource.kind().ok_or_else(unknown_path)?;
    if kind.namespaced != resource.namespace.is_some() && (resource.name.is_some() || !kind.namespaced) {
        return Err(unknown_path());
    }
    if resource.subresource.as_deref().is_some_and(|part| !kind.subresources.contains(&part)) {
        return Err(unknown_path());
    }
    let form = if resource.subresource.as_deref() == Some("log") {
        Form::Object
    } else {
        Form::requested(&parts.headers)?
    };
    let call =
        Call { api, identity, resource, kind, query, form, headers: std::mem::take(&mut parts.headers) };
    // An upgrade to a WebSocket needs the request itself. Its body has already been read.
    let mut request = Request::from_parts(parts, axum::body::Body::empty());
    carry_out(&call, verb, &bytes, &mut request).await
}

/// The action that a request asks for. Refused if the identity has no right to it.
fn authorize(
    api: &Api,
    identity: &Identity,
    resource: &Resource,
    query: &Query,
    method: &Method,
) -> Result<Verb, Refusal> {
    let named = resource.name.is_some();
    let verb = match *method {
        Method::GET | Method::HEAD if query.flag("watch") && resource.subresource.is_none() => Verb::Watch,
        // The handshake of a WebSocket is a GET, but the action counts as a creation.
        Method::GET if resource.subresource.as_deref() == Some("portforward") => Verb::Create,
        Method::GET | Method::HEAD if named => Verb::Get,
        Method::GET | Method::HEAD => Verb::List,
        Method::POST if !named || resource.subresource.is_some() => Verb::Create,
        Method::PUT if named => Verb::Update,
        Method::PATCH if named => Verb::Patch,
        Method::DELETE if named => Verb::Delete,
        Method::DELETE => Verb::DeleteCollection,
        _ => return Err(not_allowed()),
    };
    let mut resource = resource.clone();
    // A rule with names allows a list whose field selector names one of these objects.
    if matches!(verb, Verb::List | Verb::Watch)
        && resource.name.is_none()
        && let Some(kind) = resource.kind()
    {
        resource.name = Selector::of(kind, query).ok().and_then(|selector| selector.name);
    }
    rbac::check(&api.store, identity, verb, &resource)?;
    Ok(verb)
}

/// Passes an authorized request to its function.
async fn carry_out(
    call: &Call<'_>,
    verb: Verb,
    bytes: &[u8],
    request: &mut Request,
) -> Result<Response, Refusal> {
    let key = call.resource.key(call.kind);
    let part = call.subresource().unwrap_or_default();
    match (verb, key, part) {
        (Verb::List, None, _) => read::list(call),
        (Verb::Watch, None, _) => watch::watch(call),
        (Verb::Watch, Some(_), _) => Err(Refusal::bad_request(
            "watch a single object with ?fieldSelector=metadata.name=NAME on its list",
        )),
        (Verb::Get, Some(key), "log") => log::read(call, &key).await,
        (Verb::Create, Some(key), "portforward") => port_forward::forward(call, &key, request),
        (Verb::Create, Some(key), "eviction") => evict::evict(call, &key, bytes),
        (Verb::Create, Some(key), "token") => create_token(call, &key, bytes),
        (Verb::Get, Some(key), "" | "status" | "scale") => read::get(call, &key),
        // The URL for all namespaces is only for reading.
        (Verb::Create | Verb::DeleteCollection, None, _)
            if call.kind.namespaced && call.resource.namespace.is_none() =>
        {
            Err(not_allowed())
        }
        (Verb::Create, None, _) => write::create(call, body::object(&call.headers, bytes)?),
        (Verb::Update, Some(key), "scale") => {
            scale::replace(call, &key, &body::object(&call.headers, bytes)?)
        }
        (Verb::Update, Some(key), "" | "status") => {
            write::replace(call, &key, body::object(&call.headers, bytes)?)
        }
        (Verb::Patch, Some(key), "" | "status" | "scale") => patch::patch(call, &key, bytes),
        (Verb::Delete, Some(key), "") => delete::delete(call, &key, bytes),
        (Verb::DeleteCollection, None, _) => delete::delete_all(call, bytes),
        _ => Err(not_allowed()),
    }
}

/// Answers `kubectl create token` with the token of the account, which is valid as long as the cluster runs.
fn create_token(call: &Call<'_>, key: &Key, bytes: &[u8]) -> Result<Response, Refusal> {
    let mut request = body::object(&call.headers, bytes)?;
    call.store().get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))?;
    let token = call.api.tokens.service_account(&key.namespace, &key.name);
    let token =
        token.map_err(|error| Refusal::new(500, "InternalError", format!("no random numbers: {error}")))?;
    request["kind"] = json!("TokenRequest");
    request["apiVersion"] = json!("authentication.k8s.io/v1");
    request["status"] = json!({ "token": token, "expirationTimestamp": "2100-01-01T00:00:00Z" });
    Ok(json_answer(201, &request))
}
