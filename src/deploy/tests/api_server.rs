//! An API server that stores objects, with the rules that ownership depends on: managers, conflicts, dry runs
//! and preconditions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use crate::cluster::{Cluster, FIELD_MANAGER};
use crate::objects::MANAGED_BY;

const NOW: &str = "2026-05-01T10:00:00Z";

#[derive(Default)]
pub(super) struct State {
    /// By the path of their URL.
    pub(super) objects: BTreeMap<String, Value>,
    /// The changes that were made, such as `PATCH services/inference`.
    pub(super) changes: Vec<String>,
    /// Paths that are refused, with code and message.
    pub(super) refuses: Vec<(&'static str, u16, &'static str)>,
    /// Takes over the object at this path just before its deletion.
    pub(super) taken_over_before_delete: Option<&'static str>,
}

pub(super) struct ApiServer(Arc<Mutex<State>>);

impl ApiServer {
    pub(super) fn start() -> (Self, Cluster) {
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        let service = service_fn(move |request: Request<Body>| {
            let state = Arc::clone(&served);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let query = parts.uri.query().unwrap_or_default();
                let answer = state.lock().unwrap().answer(&parts.method, parts.uri.path(), query, &body);
                let (code, answer) = answer.unwrap_or_else(|(code, message, kind)| {
                    let details = json!({ "kind": kind });
                    let reason = match code {
                        404 => "NotFound",
                        409 => "Conflict",
                        _ => "Forbidden",
                    };
                    (
                        code,
                        json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
                                   "message": message, "code": code, "details": details }),
                    )
                });
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, std::convert::Infallible>(Response::builder().status(code).body(answer).unwrap())
            }
        });
        let client = Client::new(service, "load");
        (Self(state), Cluster { client, namespace: "load".into(), server: "https://test".into() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Creates an object of the manifests as `manager` would, and returns its path.
    pub(super) fn create(&self, object: &Value, manager: &str, operation: &str) -> String {
        let path = path(object);
        let object = stored(object, None, manager, operation);
        self.state().objects.insert(path.clone(), object);
        path
    }
}

type Answer = Result<(u16, Value), (u16, String, &'static str)>;

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Answer {
        let short = path.split("/namespaces/load/").nth(1).unwrap_or(path).to_owned();
        if *method == Method::GET {
            return self.objects.get(path).map(|object| (200, object.clone())).ok_or_else(not_found);
        }
        if let Some((_, code, message)) = self.refuses.iter().find(|(refused, ..)| short == *refused) {
            let kind = if message.starts_with("namespaces") { "namespaces" } else { "" };
            return Err((*code, (*message).to_owned(), kind));
        }
        if *method == Method::DELETE {
            return self.delete(path, &short, body);
        }
        assert_eq!(*method, Method::PATCH);
        assert!(query.contains("fieldManager=locust-matrix"), "{query}");
        let before = self.objects.get(path);
        let others_wrote = |object: &Value| {
            let entries = object["metadata"]["managedFields"].as_array().unwrap();
            entries.iter().any(|entry| entry["manager"] != FIELD_MANAGER)
        };
        if before.is_some_and(others_wrote) && !query.contains("force=true") {
            return Err((409, "Apply failed with 1 conflict".into(), ""));
        }
        let after = stored(body, before, FIELD_MANAGER, "Apply");
        if !query.contains("dryRun=All") {
            self.objects.insert(path.to_owned(), after.clone());
            self.changes.push(format!("PATCH {short}"));
        }
        Ok((200, after))
    }

    fn delete(&mut self, path: &str, short: &str, options: &Value) -> Answer {
        let object = self.objects.get_mut(path).ok_or_else(not_found)?;
        if self.taken_over_before_delete == Some(short) {
            object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
                json!("{}");
            object["metadata"]["resourceVersion"] = json!("99");
        }
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != object["metadata"][field] {
                return Err((409, format!("Precondition failed: {field}"), ""));
            }
        }
        self.objects.remove(path);
        self.changes.push(format!("DELETE {short}"));
        Ok((200, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })))
    }
}

fn not_found() -> (u16, String, &'static str) {
    (404, "not found".into(), "")
}

/// The object as it is stored after `manager` has written all its fields.
fn stored(object: &Value, before: Option<&Value>, manager: &str, operation: &str) -> Value {
    let mut after = object.clone();
    let mut labels = json!({});
    for name in object["metadata"]["labels"].as_object().into_iter().flatten().map(|(name, _)| name) {
        labels[format!("f:{name}")] = json!({});
    }
    let entry = json!({ "manager": manager, "operation": operation, "apiVersion": "v1", "time": NOW,
                        "fieldsType": "FieldsV1", "fieldsV1": { "f:metadata": { "f:labels": labels } } });
    let entries = before.and_then(|before| before["metadata"]["managedFields"].as_array());
    let others = entries.into_iter().flatten().filter(|entry| entry["manager"] != manager).cloned();
    let managed: Vec<Value> = others.chain([entry]).collect();
    let metadata = &mut after["metadata"];
    metadata["managedFields"] = json!(managed);
    metadata["namespace"] = json!("load");
    metadata["creationTimestamp"] =
        before.map_or(json!(NOW), |before| before["metadata"]["creationTimestamp"].clone());
    metadata["uid"] = json!(format!("uid of {}", object["metadata"]["name"]));
    metadata["resourceVersion"] = json!("7");
    after
}

/// The path of an object's URL.
fn path(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap();
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    let root = if version.contains('/') { "apis" } else { "api" };
    format!("/{root}/{version}/namespaces/load/{plural}/{}", object["metadata"]["name"].as_str().unwrap())
}

/// The object without the label that proves whose it is, as older versions deployed it.
pub(super) fn without_label(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["labels"].as_object_mut().unwrap().remove(MANAGED_BY);
    object
}
