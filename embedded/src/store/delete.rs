//! What a deletion does to an object, before anybody does it.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::metadata;
use crate::status::Status;

/// What becomes of an object's dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay, without their owner.
    Orphan,
}

/// How to delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds that a pod has to end; its own wish when this says nothing.
    pub grace_period: Option<u64>,
    /// What becomes of dependents; the kind's own way when this says nothing.
    pub propagation: Option<Propagation>,
    /// Only if this is still the object's uid.
    pub uid: Option<String>,
    /// Only if this is still the object's version.
    pub resource_version: Option<String>,
}

/// What a deletion comes to.
pub(super) enum Deletion {
    /// The object is gone at once.
    Gone,
    /// It is marked like this; somebody else ends it.
    Marked(Value),
}

impl DeleteOptions {
    /// Checks the preconditions.
    pub(super) fn check(&self, kind: &Kind, object: &Value) -> Result<(), Status> {
        let wanted =
            [("uid", "UID", &self.uid), ("resourceVersion", "ResourceVersion", &self.resource_version)];
        for (field, label, wanted) in wanted {
            let is = metadata::text(object, field);
            if let Some(wanted) = wanted
                && wanted != is
            {
                let why = format!(
                    "Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {is}"
                );
                return Err(Status::conflict(kind, metadata::text(object, "name"), &why));
            }
        }
        Ok(())
    }

    /// Decides.
    pub(super) fn apply_to(&self, kind: &Kind, object: &Value) -> Deletion {
        let mut marked = object.clone();
        let finalizer = match self.propagation {
            Some(Propagation::Foreground) => Some("foregroundDeletion"),
            Some(Propagation::Orphan) => Some("orphan"),
            None if kind.orphans => Some("orphan"),
            Some(Propagation::Background) | None => None,
        };
        let pod = kind.kind == "Pod";
        // Nothing depends on a pod but itself.
        if let Some(finalizer) = finalizer.filter(|_| !pod && !metadata::is_terminating(object)) {
            let list = metadata::of(&mut marked).entry("finalizers").or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut()
                && !list.iter().any(|present| present == finalizer)
            {
                list.push(json!(finalizer));
            }
        }
        let grace = if pod { self.grace_of(object) } else { 0 };
        let namespace = kind.kind == "Namespace";
        if grace == 0 && !metadata::has_finalizers(&marked) && !namespace {
            return Deletion::Gone;
        }
        let before = object["metadata"]["deletionGracePeriodSeconds"].as_u64();
        if metadata::is_terminating(object) && before.is_some_and(|before| before <= grace) {
            return Deletion::Marked(object.clone());
        }
        if namespace {
            marked["status"]["phase"] = json!("Terminating");
        }
        let generation = object["metadata"]["generation"].as_u64();
        let map = metadata::of(&mut marked);
        let end = jiff::Timestamp::now() + std::time::Duration::from_secs(grace);
        map.insert("deletionTimestamp".into(), json!(end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
        map.insert("deletionGracePeriodSeconds".into(), json!(grace));
        if let Some(generation) = generation {
            map.insert("generation".into(), json!(generation + 1));
        }
        Deletion::Marked(marked)
    }

    /// Seconds until a pod may be killed; 0 when nothing of it runs.
    fn grace_of(&self, pod: &Value) -> u64 {
        let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if ended || !pod["spec"]["nodeName"].is_string() {
            return 0;
        }
        // A year is for ever, and keeps the date in range.
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        self.grace_period.unwrap_or(own).min(366 * 86_400)
    }
}
