//! Watches.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::Form;
use super::call::Call;
use super::selector::Selector;
use super::table;
use crate::status::Status;
use crate::store::{Event, EventKind, Kind, Watch};

/// How often a watch that asks for it is told how far it has come.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// A watch with no timeout of its own ends after this, as it does on Kubernetes.
const LONGEST: Duration = Duration::from_hours(1);

/// One client that watches. It holds its place in the store's history and what it has not sent yet of the
/// beginning; events are read when the connection has room for them.
struct Follower {
    watch: Option<Watch>,
    kind: &'static Kind,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    include: Option<String>,
    bookmarks: bool,
    next_bookmark: Instant,
    until: Instant,
    first: VecDeque<Value>,
}

pub(super) fn watch(call: &Call<'_>) -> Result<Response, Status> {
    let selector = Selector::of(call.kind, &call.query)?;
    let asked = call.version_asked()?;
    let with_list = call.query.flag("sendInitialEvents");
    let timeout = match call.query.get("timeoutSeconds") {
        None => LONGEST,
        Some(text) => text
            .parse()
            .map(Duration::from_secs)
            .map_err(|_| Status::bad_request(format!("timeoutSeconds: {text:?} is no number")))?
            .min(LONGEST),
    };
    let mut follower = Follower {
        watch: None,
        kind: call.kind,
        namespace: call.resource.namespace.clone(),
        selector,
        form: call.form,
        include: call.query.get("includeObject").map(Into::into),
        bookmarks: call.query.flag("allowWatchBookmarks"),
        next_bookmark: Instant::now() + BOOKMARK_EVERY,
        until: Instant::now() + timeout,
        first: VecDeque::new(),
    };
    // 0 or nothing: from now on, what is there first. With initial events as well, but then the client
    // is told where they end.
    let since = if asked == 0 || with_list {
        let (objects, version) = call.store().list(call.kind, follower.namespace.as_deref());
        for object in objects.iter().filter(|object| follower.selector.matches(object)) {
            follower.first.push_back(follower.line("ADDED", object));
        }
        if with_list {
            let mut bookmark = bookmark(call.kind, version);
            bookmark["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
            follower.first.push_back(follower.line("BOOKMARK", &bookmark));
        }
        version
    } else {
        asked
    };
    // Clients expect "too old" as the first event of an answer that is otherwise well.
    match call.store().watch(call.kind, since) {
        Ok(watch) => follower.watch = Some(watch),
        Err(status) => follower.first.push_back(error(&status)),
    }
    let events = futures::stream::unfold(follower, |mut follower| async move {
        let line = follower.next().await?;
        let mut text = line.to_string();
        text.push('\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), follower))
    });
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

impl Follower {
    async fn next(&mut self) -> Option<Value> {
        if let Some(line) = self.first.pop_front() {
            return Some(line);
        }
        loop {
            let watch = self.watch.as_mut()?;
            let wake = self.until.min(if self.bookmarks { self.next_bookmark } else { self.until });
            match tokio::time::timeout_at(wake, watch.next()).await {
                Ok(Some(Ok(event))) => {
                    if let Some(line) = self.seen(&event) {
                        return Some(line);
                    }
                }
                Ok(Some(Err(status))) => {
                    self.watch = None;
                    return Some(error(&status));
                }
                Ok(None) => return None,
                Err(_) if Instant::now() >= self.until => return None,
                Err(_) => {
                    self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                    let version = watch.catch_up();
                    return Some(self.line("BOOKMARK", &bookmark(self.kind, version)));
                }
            }
        }
    }

    /// What an event is to this client: one that begins to match is new to it, one that ceases to is gone.
    fn seen(&self, event: &Event) -> Option<Value> {
        let object = &event.object;
        if self.namespace.as_ref().is_some_and(|wanted| object["metadata"]["namespace"] != **wanted) {
            return None;
        }
        let is = event.kind != EventKind::Deleted && self.selector.matches(object);
        let was = event.before.as_ref().is_some_and(|before| self.selector.matches(before));
        match (was, is) {
            (false, false) => None,
            (false, true) => Some(self.line("ADDED", object)),
            (true, true) => Some(self.line("MODIFIED", object)),
            (true, false) if event.kind == EventKind::Deleted => Some(self.line("DELETED", object)),
            // It is gone for this client in the state in which it still matched.
            (true, false) => {
                let mut last = Value::clone(event.before.as_deref()?);
                last["metadata"]["resourceVersion"] = json!(event.version.to_string());
                Some(self.line("DELETED", &last))
            }
        }
    }

    fn line(&self, kind: &str, object: &Value) -> Value {
        let object = match self.form {
            Form::Object => object.clone(),
            Form::Metadata => table::metadata_only(object),
            Form::Table => table::table(self.kind, &[object], &object["metadata"], self.include.as_deref()),
        };
        json!({ "type": kind, "object": object })
    }
}

fn bookmark(kind: &Kind, version: u64) -> Value {
    json!({
        "kind": kind.kind,
        "apiVersion": kind.api_version(),
        "metadata": { "resourceVersion": version.to_string() },
    })
}

fn error(status: &Status) -> Value {
    json!({ "type": "ERROR", "object": status.object() })
}
