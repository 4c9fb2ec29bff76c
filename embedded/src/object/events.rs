//! Events: the history of an object that `kubectl describe` shows.

use serde_json::{Value, json};

use super::metadata::meta;
use crate::kinds::{self, Kind};
use crate::store::{Key, Store};
use crate::time;

/// Largest number of events in a namespace. The oldest are removed first.
const MAX_EVENTS: usize = 2000;

/// Records events in the name of one component, such as `kubelet`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorder(pub(crate) &'static str);

impl Recorder {
    /// Records an event of type `Normal`.
    pub(crate) fn normal(
        self,
        store: &Store,
        kind: &'static Kind,
        object: &Value,
        reason: &str,
        message: &str,
    ) {
        self.record(store, kind, object, "Normal", reason, message);
    }

    /// Records an event of type `Warning`.
    pub(crate) fn warning(
        self,
        store: &Store,
        kind: &'static Kind,
        object: &Value,
        reason: &str,
        message: &str,
    ) {
        self.record(store, kind, object, "Warning", reason, message);
    }

    /// A repeated event raises the count of the first one.
    fn record(
        self,
        store: &Store,
        kind: &'static Kind,
        object: &Value,
        event_type: &str,
        reason: &str,
        message: &str,
    ) {
        let own = meta(object, "namespace");
        let namespace = if own.is_empty() { "default" } else { own };
        let (events, _) = store.list(&kinds::EVENTS, Some(namespace));
        let same = events.iter().find(|event| {
            event["involvedObject"]["uid"] == object["metadata"]["uid"]
                && event["reason"] == reason
                && event["message"] == message
        });
        if let Some(event) = same {
            let counted = store.update(&Key::of(&kinds::EVENTS, event), |event| {
                event["count"] = json!(event["count"].as_i64().unwrap_or(1) + 1);
                event["lastTimestamp"] = json!(time::now());
                Ok(())
            });
            if counted.is_ok() {
                return;
            }
        }
        if events.len() >= MAX_EVENTS
            && let Some(oldest) = events.iter().min_by_key(|event| event["lastTimestamp"].as_str())
        {
            store.remove(&Key::of(&kinds::EVENTS, oldest));
        }
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let event = json!({
            "metadata": {
                "name": format!("{}.{}", meta(object, "name"), &unique[..16]),
                "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": kind.api_version(),
                "kind": kind.kind,
                "namespace": own,
                "name": meta(object, "name"),
                "uid": meta(object, "uid"),
                "resourceVersion": meta(object, "resourceVersion"),
            },
            "type": event_type,
            "reason": reason,
            "message": message,
            "source": { "component": self.0 },
            "reportingComponent": self.0,
            "reportingInstance": "",
            "count": 1,
            "firstTimestamp": time::now(),
            "lastTimestamp": time::now(),
            "eventTime": null,
        });
        // The store refuses the event if the namespace is being deleted. Nobody would read it then.
        let _ = store.create(&kinds::EVENTS, event);
    }
}
