//! An API server in memory, for tests. It has what the callers here depend on: resource versions, conflicts,
//! preconditions of deletions, and faults on demand.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::request::Parts;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::connection::Cluster;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The server never answers, and does nothing.
    Silent,
    /// The server does what it was asked, but its answer is lost.
    LostAnswer,
    /// The server refuses the call with this code.
    Refused(u16),
}

type Objects = BTreeMap<String, Value>;
type Faults = Box<dyn FnMut(&Method, &str, &mut Objects) -> Option<Fault> + Send>;

#[derive(Default)]
struct State {
    objects: Objects,
    version: u64,
    calls: Vec<String>,
    faults: Option<Faults>,
}

/// The server. Its clones share their objects, so that two drivers can talk to the same server.
#[derive(Clone, Default)]
pub(crate) struct FakeApi(Arc<Mutex<State>>);

impl FakeApi {
    /// A connection of its own to this server.
    pub(crate) fn cluster(&self) -> Cluster {
        let api = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap_or_default();
                let (code, answer) =
                    api.call(&parts, &serde_json::from_slice(&body).unwrap_or_default()).await;
                let answer = Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, Infallible>(Response::builder().status(code).body(answer).unwrap())
            }
        });
        let client = Client::new(service, "default");
        Cluster { client, namespace: "default".into(), server: "test".into() }
    }

    /// Stores an object at its path, such as `/api/v1/namespaces/default/pods/a`.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().store(path, object);
    }

    /// The object at this path.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// All calls so far, as `METHOD path`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Decides for each call from now on whether it goes wrong. It may change the objects before the call, as
    /// somebody else would.
    pub(crate) fn fail(
        &self,
        faults: impl FnMut(&Method, &str, &mut Objects) -> Option<Fault> + Send + 'static,
    ) {
        self.0.lock().unwrap().faults = Some(Box::new(faults));
    }

    async fn call(&self, parts: &Parts, body: &Value) -> (u16, Value) {
        let path = parts.uri.path();
        let fault = {
            let mut state = self.0.lock().unwrap();
            state.calls.push(format!("{} {path}", parts.method));
            let State { objects, faults, .. } = &mut *state;
            faults.as_mut().and_then(|faults| faults(&parts.method, path, objects))
        };
        match fault {
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Refused(code)) => failure(code, "refused by the test"),
            Some(Fault::LostAnswer) => {
                let _ = self.0.lock().unwrap().answer(parts, body);
                failure(500, "the answer is lost")
            }
            None => self.0.lock().unwrap().answer(parts, body),
        }
    }
}

impl State {
    fn answer(&mut self, parts: &Parts, body: &Value) -> (u16, Value) {
        let path = parts.uri.path();
        let existing = self.objects.get(path).cloned();
        match (&parts.method, existing) {
            (&Method::POST, _) => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) {
                    return failure(409, "it already exists");
                }
                (201, self.store(&path, body.clone()))
            }
            (&Method::GET, None) if is_collection(path) => {
                let prefix = format!("{path}/");
                let is_item = |path: &str| path.strip_prefix(&prefix).is_some_and(|name| !name.contains('/'));
                let items = self.objects.iter().filter(|(path, _)| is_item(path));
                let items: Vec<_> = items.map(|(_, object)| object.clone()).collect();
                (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items }))
            }
            (_, None) => failure(404, "not found"),
            (&Method::GET, Some(object)) => (200, object),
            (&Method::PATCH, Some(mut object)) => {
                for field in ["uid", "resourceVersion"] {
                    let expected = &body["metadata"][field];
                    if !expected.is_null() && *expected != object["metadata"][field] {
                        return failure(409, "the object has been modified");
                    }
                }
                json_patch::merge(&mut object, body);
                (200, self.store(path, object))
            }
            (&Method::DELETE, Some(object)) => {
                for field in ["uid", "resourceVersion"] {
                    let expected = &body["preconditions"][field];
                    if !expected.is_null() && *expected != object["metadata"][field] {
                        return failure(409, "Precondition failed");
                    }
                }
                self.objects.remove(path);
                (200, object)
            }
            (method, _) => failure(405, method.as_str()),
        }
    }

    /// Stores an object with a new resource version, and with a UID if it has none.
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

/// Whether a path ends with a kind of objects, and not with the name of one: `…/namespaces/NAME/pods`.
fn is_collection(path: &str) -> bool {
    path.rsplit('/').nth(2) == Some("namespaces")
}

fn failure(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "Failure",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (code, status)
}
