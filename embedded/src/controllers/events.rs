//! Events: what `kubectl describe` shows of what happened to an object.

use serde_json::{Value, json};

use crate::object::meta;
use crate::store::{Key, Kind, Store, kinds, now};

/// How many events are kept; the oldest go first.
const KEPT: usize = 2000;

/// Who reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) &'static str);

impl Source {
    /// Something ordinary happened.
    pub(crate) fn normal(
        self,
        store: &Store,
        kind: &'static Kind,
        about: &Value,
        reason: &str,
        message: &str,
    ) {
        self.record(store, kind, about, "Normal", reason, message);
    }

    /// Something went wrong.
    pub(crate) fn warning(
        self,
        store: &Store,
        kind: &'static Kind,
        about: &Value,
        reason: &str,
        message: &str,
    ) {
        self.record(store, kind, about, "Warning", reason, message);
    }

    /// The same thing again is counted, not repeated.
    fn record(
        self,
        store: &Store,
        kind: &'static Kind,
        about: &Value,
        severity: &str,
        reason: &str,
        message: &str,
    ) {
        let own = meta(about, "namespace");
        let namespace = if own.is_empty() { "default" } else { own };
        let (events, _) = store.list(&kinds::EVENTS, Some(namespace));
        let same = events.iter().find(|event| {
            event["involvedObject"]["uid"] == about["metadata"]["uid"]
                && event["reason"] == reason
                && event["message"] == message
        });
        if let Some(event) = same {
            let counted = store.update(&Key::of(&kinds::EVENTS, event), |event| {
                event["count"] = json!(event["count"].as_i64().unwrap_or(1) + 1);
                event["lastTimestamp"] = json!(now());
                Ok(())
            });
            if counted.is_ok() {
                return;
            }
        }
        if events.len() >= KEPT
            && let Some(oldest) = events.iter().min_by_key(|event| event["lastTimestamp"].as_str())
        {
            store.remove(&Key::of(&kinds::EVENTS, oldest));
        }
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let event = json!({
            "metadata": {
                "name": format!("{}.{}", meta(about, "name"), &unique[..16]),
                "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": kind.api_version(),
                "kind": kind.kind,
                "namespace": own,
                "name": meta(about, "name"),
                "uid": meta(about, "uid"),
                "resourceVersion": meta(about, "resourceVersion"),
            },
            "type": severity,
            "reason": reason,
            "message": message,
            "source": { "component": self.0 },
            "reportingComponent": self.0,
            "reportingInstance": "",
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "eventTime": null,
        });
        // The namespace may be on its way out; then nobody will read it.
        let _ = store.create(&kinds::EVENTS, event);
    }
}
