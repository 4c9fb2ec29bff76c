//! Deletions: the options of a request, and what they do to an object.

use serde_json::{Value, json};

use super::metadata;
use crate::kinds::Kind;
use crate::refusal::Refusal;
use crate::time;

/// What happens to the objects that an object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them after the owner.
    Background,
    /// They are deleted before the owner.
    Foreground,
    /// They stay, and lose the reference to their owner.
    Orphan,
}

/// The options of a deletion.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds that a pod has to end. `None`: the pod's `terminationGracePeriodSeconds`.
    pub grace_period: Option<u64>,
    /// What happens to dependents. `None`: the default of the kind.
    pub propagation: Option<Propagation>,
    /// Delete only if the object has this uid.
    pub uid: Option<String>,
    /// Delete only if the object has this resource version.
    pub resource_version: Option<String>,
}

/// The effect of a deletion on the object.
pub(super) enum Deletion {
    /// The object disappears at once.
    Gone,
    /// The object is marked as being deleted, like this. Others finish the deletion.
    Marked(Value),
}

impl DeleteOptions {
    /// Refuses the deletion if a precondition is not met.
    pub(super) fn check(&self, kind: &Kind, object: &Value) -> Result<(), Refusal> {
        let wanted =
            [("uid", "UID", &self.uid), ("resourceVersion", "ResourceVersion", &self.resource_version)];
        for (field, label, wanted) in wanted {
            let actual = metadata::text(object, field);
            if let Some(wanted) = wanted
                && wanted != actual
            {
                let why = format!(
                    "Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {actual}"
                );
                return Err(Refusal::conflict(kind, metadata::text(object, "name"), &why));
            }
        }
        Ok(())
    }

    /// Decides which effect the deletion has on an object.
    pub(super) fn apply_to(&self, kind: &Kind, object: &Value) -> Deletion {
        let mut marked = object.clone();
        let finalizer = match self.propagation {
            Some(Propagation::Foreground) => Some("foregroundDeletion"),
            Some(Propagation::Orphan) => Some("orphan"),
            None if kind.orphans_dependents => Some("orphan"),
            Some(Propagation::Background) | None => None,
        };
        // A pod owns nothing, so it needs no finalizer.
        let needs_finalizer = !kind.ends_gracefully && !metadata::is_terminating(object);
        if let Some(finalizer) = finalizer.filter(|_| needs_finalizer) {
            let list = metadata::of(&mut marked).entry("finalizers").or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut()
                && !list.iter().any(|present| present == finalizer)
            {
                list.push(json!(finalizer));
            }
        }
        let grace = if kind.ends_gracefully { self.grace_of(object) } else { 0 };
        if grace == 0 && !metadata::has_finalizers(&marked) && !kind.contains_objects {
            return Deletion::Gone;
        }
        let before = object["metadata"]["deletionGracePeriodSeconds"].as_u64();
        if metadata::is_terminating(object) && before.is_some_and(|before| before <= grace) {
            return Deletion::Marked(object.clone());
        }
        if kind.contains_objects {
            marked["status"]["phase"] = json!("Terminating");
        }
        let generation = object["metadata"]["generation"].as_u64();
        let map = metadata::of(&mut marked);
        let end = jiff::Timestamp::now() + std::time::Duration::from_secs(grace);
        map.insert("deletionTimestamp".into(), json!(time::format(end)));
        map.insert("deletionGracePeriodSeconds".into(), json!(grace));
        if let Some(generation) = generation {
            map.insert("generation".into(), json!(generation + 1));
        }
        Deletion::Marked(marked)
    }

    /// Seconds until a pod may be killed. 0 if none of its containers can be running.
    fn grace_of(&self, pod: &Value) -> u64 {
        let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if ended || !pod["spec"]["nodeName"].is_string() {
            return 0;
        }
        // At most a year, so that the date stays in range.
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        self.grace_period.unwrap_or(own).min(366 * 86_400)
    }
}
