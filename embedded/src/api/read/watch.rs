//! Watches: streams of the changes of a kind.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::wire::answer::Form;
use crate::api::wire::call::Call;
use crate::api::wire::form;
use crate::api::wire::selector::Selector;
use crate::kinds::Kind;
use crate::refusal::Refusal;
use crate::store::{Event, EventKind, Watch};

/// Time between two bookmarks, for a client that asks for bookmarks.
const BOOKMARK_INTERVAL: Duration = Duration::from_mins(1);
/// Longest duration of a watch. It is also the default.
const MAX_DURATION: Duration = Duration::from_hours(1);

/// One client that watches. It stores its position in the history and the initial events that are not sent
/// yet. It reads later events only when the connection can take more data.
struct Watcher {
    watch: Option<Watch>,
    kind: &'static Kind,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    include: Option<String>,
    bookmarks: bool,
    next_bookmark: Instant,
    until: Instant,
    /// Initial events that are not sent yet.
    initial: VecDeque<Value>,
}

/// Answers with a stream of events.
pub(crate) fn watch(call: &Call<'_>) -> Result<Response, Refusal> {
    let selector = Selector::of(call.kind, &call.query)?;
    let requested = call.requested_version()?;
    let with_list = call.query.flag("sendInitialEvents");
    let timeout = match call.query.get("timeoutSeconds") {
        None => MAX_DURATION,
        Some(text) => text
            .parse()
            .map(Duration::from_secs)
            .map_err(|_| Refusal::bad_request(format!("timeoutSeconds: {text:?} is not a number")))?
            .min(MAX_DURATION),
    };
    let mut watcher = Watcher {
        watch: None,
        kind: call.kind,
        namespace: call.resource.namespace.clone(),
        selector,
        form: call.form,
        include: call.query.get("includeObject").map(Into::into),
        bookmarks: call.query.flag("allowWatchBookmarks"),
        next_bookmark: Instant::now() + BOOKMARK_INTERVAL,
        until: Instant::now() + timeout,
        initial: VecDeque::new(),
    };
    // Version 0, no version, or `sendInitialEvents`: the watch begins with the objects that exist now. Only
    // with `sendInitialEvents` a bookmark marks the end of these initial events.
    let since = if requested == 0 || with_list {
        let (objects, version) = call.store().list(call.kind, watcher.namespace.as_deref());
        for object in objects.iter().filter(|object| watcher.selector.matches(object)) {
            watcher.initial.push_back(watcher.event("ADDED", object));
        }
        if with_list {
            let mut bookmark = bookmark(call.kind, version);
            bookmark["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
            watcher.initial.push_back(watcher.event("BOOKMARK", &bookmark));
        }
        version
    } else {
        requested
    };
    // Clients expect this error as the first event of a successful answer.
    match call.store().watch(call.kind, since) {
        Ok(watch) => watcher.watch = Some(watch),
        Err(refusal) => watcher.initial.push_back(error_event(&refusal)),
    }
    let events = futures::stream::unfold(watcher, |mut watcher| async move {
        let line = watcher.next().await?;
        let mut text = line.to_string();
        text.push('\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), watcher))
    });
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

impl Watcher {
    async fn next(&mut self) -> Option<Value> {
        if let Some(event) = self.initial.pop_front() {
            return Some(event);
        }
        loop {
            let watch = self.watch.as_mut()?;
            let wake = self.until.min(if self.bookmarks { self.next_bookmark } else { self.until });
            match tokio::time::timeout_at(wake, watch.next()).await {
                Ok(Some(Ok(event))) => {
                    if let Some(line) = self.translate(&event) {
                        return Some(line);
                    }
                }
                Ok(Some(Err(refusal))) => {
                    self.watch = None;
                    return Some(error_event(&refusal));
                }
                Ok(None) => return None,
                Err(_) if Instant::now() >= self.until => return None,
                Err(_) => {
                    self.next_bookmark = Instant::now() + BOOKMARK_INTERVAL;
                    let version = watch.catch_up();
                    return Some(self.event("BOOKMARK", &bookmark(self.kind, version)));
                }
            }
        }
    }

    /// What a change means for this client. An object that begins to match its selector is new for it. An
    /// object that no longer matches is deleted for it.
    fn translate(&self, event: &Event) -> Option<Value> {
        let object = &event.object;
        if self.namespace.as_ref().is_some_and(|wanted| object["metadata"]["namespace"] != **wanted) {
            return None;
        }
        let matches = event.kind != EventKind::Deleted && self.selector.matches(object);
        let matched = event.before.as_ref().is_some_and(|before| self.selector.matches(before));
        match (matched, matches) {
            (false, false) => None,
            (false, true) => Some(self.event("ADDED", object)),
            (true, true) => Some(self.event("MODIFIED", object)),
            (true, false) if event.kind == EventKind::Deleted => Some(self.event("DELETED", object)),
            // The client gets the last state that matched its selector.
            (true, false) => {
                let mut last = Value::clone(event.before.as_deref()?);
                last["metadata"]["resourceVersion"] = json!(event.version.to_string());
                Some(self.event("DELETED", &last))
            }
        }
    }

    /// One event in the form that the client asks for.
    fn event(&self, kind: &str, object: &Value) -> Value {
        let object = form::of_object(self.kind, object, self.form, self.include.as_deref());
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

fn error_event(refusal: &Refusal) -> Value {
    json!({ "type": "ERROR", "object": refusal.to_status() })
}
